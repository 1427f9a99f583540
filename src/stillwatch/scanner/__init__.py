"""The main job: logs in; campaigns, accused accounts and a readable report out.

*Input*: files of logs and side tables. *Output*: a run directory (design, section 4). *Promise*:
the same rows and settings give the same bytes of everything but timing.json; a file that exists
is whole; what could not be read is in rejected.jsonl.
"""

from stillwatch.scanner.candidates import candidate_frames, corroborated_lines
from stillwatch.scanner.job import prepare, scan
from stillwatch.scanner.result import Progress, ScanResult

__all__ = [
    "Progress",
    "ScanResult",
    "candidate_frames",
    "corroborated_lines",
    "prepare",
    "scan",
]
