"""Programs that run beside the gateway, under limits: a site's plug-ins, and our own reading of what may be hostile.

process.py   runs one program under limits of time, memory and output
launch.py    sets the limits in the new process, then becomes the program
reading.py   a program of ours: reads one PDF
frames.py    a program of ours: reads frames, one after the other
text.py      the text detectors it uses
"""
