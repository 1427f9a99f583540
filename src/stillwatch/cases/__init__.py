"""Cases, decisions, appeals, notices, evidence packs: what people decide, and what follows from it.

Input: a run directory and what people say. Output: a case database (SQLite or PostgreSQL), notices,
the effects that the next scan and the guard read, evidence packs. Promise: nothing that was said is
ever changed, and a change made beside this program is found; what is adverse names a person, ends
by itself, is told in plain words and can be appealed; an appeal that is not heard in time is won.

Needs ``pip install stillwatch[cases]``.
"""

from stillwatch.cases.appeals import appeal, read_appeals, resolve, settle
from stillwatch.cases.book import Book, open_book
from stillwatch.cases.decisions import (
    InForce,
    Order,
    approve,
    decide,
    in_force,
    read_decisions,
    undo,
)
from stillwatch.cases.docket import (
    add_note,
    assign,
    close_case,
    label,
    note_indicator,
    note_sighting,
    read_case,
    read_cases,
    read_evidence,
    read_members,
    read_sightings,
)
from stillwatch.cases.effects import effects
from stillwatch.cases.erasure import (
    ErasedRun,
    end_users_of,
    erase_from_book,
    erase_from_effects,
    erase_from_run,
    erase_subjects,
)
from stillwatch.cases.identity import Match, Merge, match_campaigns
from stillwatch.cases.integrity import Verified, verify_book
from stillwatch.cases.judgement import Judgement, read_judgement
from stillwatch.cases.notices import read_notice
from stillwatch.cases.opening import Seen, open_cases
from stillwatch.cases.pack import Pack, export_case
from stillwatch.cases.pack_check import CheckedPack, verify_pack
from stillwatch.cases.preview import Preview, RungPreview, preview
from stillwatch.cases.retention import Retention, purge_book, purge_runs, read_retention
from stillwatch.cases.sample_files import read_design, read_labels, sample_run
from stillwatch.cases.sampling import Design, ErrorRates, Rate, Stratum, draw_sample, estimate_rates
from stillwatch.cases.snapshot import Compiled, compile_snapshot, salt_of
from stillwatch.cases.terms import Terms, read_terms

__all__ = [
    "Book",
    "CheckedPack",
    "Compiled",
    "Design",
    "ErasedRun",
    "ErrorRates",
    "InForce",
    "Judgement",
    "Match",
    "Merge",
    "Order",
    "Pack",
    "Preview",
    "Rate",
    "Retention",
    "RungPreview",
    "Seen",
    "Stratum",
    "Terms",
    "Verified",
    "add_note",
    "appeal",
    "approve",
    "assign",
    "close_case",
    "compile_snapshot",
    "decide",
    "draw_sample",
    "effects",
    "end_users_of",
    "erase_from_book",
    "erase_from_effects",
    "erase_from_run",
    "erase_subjects",
    "estimate_rates",
    "export_case",
    "in_force",
    "label",
    "match_campaigns",
    "note_indicator",
    "note_sighting",
    "open_book",
    "open_cases",
    "preview",
    "purge_book",
    "purge_runs",
    "read_appeals",
    "read_case",
    "read_cases",
    "read_decisions",
    "read_design",
    "read_evidence",
    "read_judgement",
    "read_labels",
    "read_members",
    "read_notice",
    "read_retention",
    "read_sightings",
    "read_terms",
    "resolve",
    "salt_of",
    "sample_run",
    "settle",
    "undo",
    "verify_book",
    "verify_pack",
]
