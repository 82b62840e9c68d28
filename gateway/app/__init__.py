"""The composition root: the one package that knows every part, and the process tree it makes of them.

supervisor.py   accepts and hands sockets out; starts writer and workers, restarts what dies, reloads, drains
worker.py       one worker: admission, associations, deliveries
web.py          one web process: HTTP in
inbox.py        the process that watches folders
kinds.py        which process serves which listener
start.py        how each of these processes starts
control.py      the few words supervisor and worker exchange
"""
