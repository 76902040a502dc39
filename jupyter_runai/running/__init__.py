"""What runs in a workload's process. Nothing but the standard library is imported until it must.

Of that as little as can be, since somebody waits: pathlib, typing, inspect and traceback would double its start.
"""
