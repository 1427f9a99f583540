"""The names of the files in a run directory, and the exit codes of the main job."""

from __future__ import annotations

from typing import Final

SUMMARY: Final = "summary.json"
CAMPAIGNS: Final = "campaigns.jsonl"
ACCOUNTS: Final = "accounts.parquet"
SUBJECTS: Final = "subjects.parquet"
SIGNALS: Final = "signals.parquet"
LINKS: Final = "links.parquet"
TIMING: Final = "timing.json"
REJECTED: Final = "rejected.jsonl"
REPORT: Final = "report.html"
SHARED: Final = "shared.jsonl"  # only where indicators were given
STIX: Final = "stix.json"
STAGES: Final = "stages"
RESUME: Final = "resume.json"  # inside stages, while a run is unfinished

EXIT_CLEAR: Final = 0
EXIT_USAGE: Final = 1
EXIT_INPUT: Final = 2
EXIT_ACCUSED: Final = 3
