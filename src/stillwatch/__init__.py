"""stillwatch: detect, attribute, stop, share and prove adversarial distillation.

The rooms in the order in which data flows. A room imports only rooms above it:

1. errors    – every error, with where and what next
2. stats     – numbers without domain words
3. seal      – digests, hash chains and signatures
4. schema    – what crosses a room: exchange, account, permit, Finding, Step
5. policy    – what is allowed and to whom: permits, ownership answers, the ladder of verdicts
6. sources   – log format → exchange, and the ledger of rejected rows
7. enrich    – side tables
8. kernel    – exchange → features
9. profiles  – features → one row per subject
10. links     – objects → links and candidate cohorts
11. signals   – cohorts → Finding
12. campaigns – links and findings → campaigns
13. pipeline  – the stages in order: read this first
14. collect   – logs pushed by clients → crash-safe segments
15. runners   – execute Steps
16. store     – what a run leaves behind, and how to ask it
17. cases     – cases, decisions, appeals, evidence packs, the guard's snapshot
18. report    – run directory → report.html
19. console   – cases and decisions in a browser
20. share     – campaign → STIX, what may be said of it, its exchange; the hub
21. guard     – decides about requests while they wait
22. prove     – was this model trained on that one's answers: results and the case file
23. simulate  – labelled traffic
24. scanner   – the main job: joins runner, report and share
25. service   – watch: logs that arrive become days, looks, cases and alerts
26. bench     – suites, baselines and scores
27. cli       – one file a command; no logic
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
