"""The main job: logs in; campaigns, accused accounts and a readable report out.

*Input*: files of logs and side tables. *Output*: a run directory (design, section 4). *Promise*:
the same rows and settings give the same bytes of everything but timing.json; a file that exists
is whole; what could not be read is in rejected.jsonl; days that were read once give
the bytes that reading their logs again would give.
"""

from stillwatch.scanner.candidates import candidate_frames, corroborated_lines
from stillwatch.scanner.feed import StoredDays
from stillwatch.scanner.filling import Filled, Waiting, fill_days, reading_key, waiting_files
from stillwatch.scanner.job import prepare, scan
from stillwatch.scanner.planning import Plan, Range, plan
from stillwatch.scanner.planning_engines import EnginePlan, plan_on_engine
from stillwatch.scanner.result import Progress, ScanResult

__all__ = [
    "EnginePlan",
    "Filled",
    "Plan",
    "Progress",
    "Range",
    "ScanResult",
    "StoredDays",
    "Waiting",
    "candidate_frames",
    "corroborated_lines",
    "fill_days",
    "plan",
    "plan_on_engine",
    "prepare",
    "reading_key",
    "scan",
    "waiting_files",
]
