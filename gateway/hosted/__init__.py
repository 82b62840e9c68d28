"""Programs that run beside the gateway, under limits: a site's plug-ins, and our own reading of what may be hostile.

process.py   runs one program under limits of time, memory and output
launch.py    sets the limits in the new process, then becomes the program
reading.py   a program of ours: reads one PDF
series.py    a plug-in and one series: what it gets, what it must give back (docs/plugins.md)
"""
