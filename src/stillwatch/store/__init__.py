"""What runs leave behind, and how to ask it: run directories, and days of features between runs.

Input: the path of a run directory; features of source files. Output: a `Run`; a window composed of
stored days. Promise: of a run nothing is read before it is asked for and nothing is written; a
folder that is not a run directory is refused by the name of the file it lacks; a day store is as it
was before a delivery or as after it, whenever it is killed.
"""

from stillwatch.store.run import STAGE_TABLES, TABLES, Run, open_run

__all__ = ["STAGE_TABLES", "TABLES", "Run", "open_run"]
