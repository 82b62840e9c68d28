"""The composition root: the one package that knows every part, and the process tree it makes of them.

supervisor.py   accepts and hands sockets out; starts writer and workers, restarts what dies, reloads, drains
worker.py       one worker: admission, associations, deliveries
control.py      the few words supervisor and worker exchange
"""
