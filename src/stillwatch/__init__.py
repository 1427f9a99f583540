"""stillwatch: detect, attribute, stop, share and prove adversarial distillation.

The rooms in the order in which data flows. A room imports only rooms above it:

1. errors     – every error, with where and what next
2. stats      – numbers without domain words
3. schema     – what crosses a room: exchange, account, permit, Finding, Step
4. policy     – what is allowed and to whom: permits, ownership answers
5. sources    – log format → exchange, and the ledger of rejected rows
6. enrich     – side tables
7. kernel     – exchange → features
8. profiles   – features → one row per subject
9. links      – objects → links and candidate cohorts
10. signals   – cohorts → Finding
11. campaigns – links and findings → campaigns
12. pipeline  – the stages in order: read this first
13. runners   – execute Steps
14. store     – what a run leaves behind, and how to ask it
15. report    – run directory → report.html
16. share     – campaign → STIX
17. simulate  – labelled traffic
18. scanner   – the main job: joins runner, report and share
19. cli       – one file a command; no logic
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stillwatch.scanner import ScanResult, scan

__version__ = "0.1.0"
__all__ = ["ScanResult", "__version__", "scan"]

_LAZY = {"scan": "stillwatch.scanner", "ScanResult": "stillwatch.scanner"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'stillwatch' has no attribute {name!r}")
