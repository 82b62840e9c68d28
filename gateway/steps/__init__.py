"""The steps of a route: one file a step, one line each in table.py.

Transforms do the work; a step lends them the shell.
"""
