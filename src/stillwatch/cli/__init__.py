"""The command line: one file a command, and no logic; where rooms are joined.

Input: arguments. Output: results on standard output, progress and errors on standard error,
and an exit code: 0 nothing accused, 1 usage or configuration, 2 unreadable input, 3 at least one
campaign accused, 130 interrupted. Promise: no control or bidirectional character of the data
reaches a terminal, NO_COLOR is respected, and only this room ends the process.

A command imports the rooms it joins inside its function, against the custom of the house:
`stillwatch --help` answers in 0.1 s and loads neither Arrow nor an engine
(tests/architecture/test_import_graph.py).
"""

from stillwatch.cli.app import main

__all__ = ["main"]
