"""What a run leaves behind, and how to ask it.

Input: the path of a run directory. Output: a `Run`. Promise: nothing is read before it is
asked for, nothing is written, and a folder that is not a run directory is refused by the name
of the file it lacks.
"""

from stillwatch.store.run import STAGE_TABLES, TABLES, Run, open_run

__all__ = ["STAGE_TABLES", "TABLES", "Run", "open_run"]
