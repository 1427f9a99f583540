"""What is decided about campaigns, and what a decision would touch.

*Input*: a run directory, decisions of named persons. *Output*: the guard's snapshot, the preview
of a rung's collateral. *Promise*: nothing enters a snapshot but what a scan accused; every
adverse action names who ordered it and when it lapses.
"""

from stillwatch.cases.preview import Preview, RungPreview, preview
from stillwatch.cases.snapshot import Compiled, compile_snapshot, salt_of

__all__ = ["Compiled", "Preview", "RungPreview", "compile_snapshot", "preview", "salt_of"]
