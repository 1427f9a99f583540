"""Cases, decisions, appeals, notices, evidence packs: what people decide, and what follows from it.

Input: a run directory and what people say. Output: a case database (SQLite or PostgreSQL), notices,
the effects that the next scan and the guard read, evidence packs. Promise: nothing that was said is
ever changed, and a change made beside this program is found; what is adverse names a person, ends
by itself, is told in plain words and can be appealed; an appeal that is not heard in time is won.

Needs ``pip install stillwatch[cases]``.
"""

from stillwatch.cases.appeals import appeal, read_appeals, resolve, settle
from stillwatch.cases.attachments import (
    Attachment,
    attach,
    clean_file_name,
    name_outside,
    read_attachment,
    read_attachments,
    remove_attachment,
    unsearched,
)
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
    claim,
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
    owners_of,
)
from stillwatch.cases.findings import (
    Labelled,
    Note,
    mentions,
    read_labels_on,
    read_notes_on,
    tally_labels,
)
from stillwatch.cases.identity import Match, Merge, match_campaigns
from stillwatch.cases.integrity import Verified, verify_book
from stillwatch.cases.judgement import Judgement, read_judgement
from stillwatch.cases.lines import Line, Lines, read_lines
from stillwatch.cases.logged import (
    BAND_COLUMNS,
    FRAME_COLUMNS,
    LINK_COLUMNS,
    logged_rows,
    matchable,
)
from stillwatch.cases.notices import access_notice, read_notice
from stillwatch.cases.opening import Seen, open_cases
from stillwatch.cases.pack import Pack, export_case
from stillwatch.cases.pack_check import CheckedPack, verify_pack
from stillwatch.cases.people import check_person, plain_name
from stillwatch.cases.preview import Preview, RungPreview, preview
from stillwatch.cases.refusals import (
    EnteredRefusals,
    Refused,
    accounts_of,
    enter_refusals,
    read_refused,
)
from stillwatch.cases.retention import Retention, purge_book, purge_runs, read_retention
from stillwatch.cases.sample_files import read_design, read_labels, sample_run
from stillwatch.cases.sampling import Design, ErrorRates, Rate, Stratum, draw_sample, estimate_rates
from stillwatch.cases.shelf import (
    Entry,
    Ruling,
    cases_of,
    decided_on,
    last_entry,
    page_members,
    read_entries,
    read_rulings,
    verdict_of,
)
from stillwatch.cases.snapshot import Compiled, compile_snapshot, salt_of
from stillwatch.cases.terms import Terms, read_terms
from stillwatch.cases.upgrading import upgrade_tables

__all__ = [
    "BAND_COLUMNS",
    "FRAME_COLUMNS",
    "LINK_COLUMNS",
    "Attachment",
    "Book",
    "CheckedPack",
    "Compiled",
    "Design",
    "EnteredRefusals",
    "Entry",
    "ErasedRun",
    "ErrorRates",
    "InForce",
    "Judgement",
    "Labelled",
    "Line",
    "Lines",
    "Match",
    "Merge",
    "Note",
    "Order",
    "Pack",
    "Preview",
    "Rate",
    "Refused",
    "Retention",
    "Ruling",
    "RungPreview",
    "Seen",
    "Stratum",
    "Terms",
    "Verified",
    "access_notice",
    "accounts_of",
    "add_note",
    "appeal",
    "approve",
    "assign",
    "attach",
    "cases_of",
    "check_person",
    "claim",
    "clean_file_name",
    "close_case",
    "compile_snapshot",
    "decide",
    "decided_on",
    "draw_sample",
    "effects",
    "end_users_of",
    "enter_refusals",
    "erase_from_book",
    "erase_from_effects",
    "erase_from_run",
    "erase_subjects",
    "estimate_rates",
    "export_case",
    "in_force",
    "label",
    "last_entry",
    "logged_rows",
    "match_campaigns",
    "matchable",
    "mentions",
    "name_outside",
    "note_indicator",
    "note_sighting",
    "open_book",
    "open_cases",
    "owners_of",
    "page_members",
    "plain_name",
    "preview",
    "purge_book",
    "purge_runs",
    "read_appeals",
    "read_attachment",
    "read_attachments",
    "read_case",
    "read_cases",
    "read_decisions",
    "read_design",
    "read_entries",
    "read_evidence",
    "read_judgement",
    "read_labels",
    "read_labels_on",
    "read_lines",
    "read_members",
    "read_notes_on",
    "read_notice",
    "read_refused",
    "read_retention",
    "read_rulings",
    "read_sightings",
    "read_terms",
    "remove_attachment",
    "resolve",
    "salt_of",
    "sample_run",
    "settle",
    "tally_labels",
    "undo",
    "unsearched",
    "upgrade_tables",
    "verdict_of",
    "verify_book",
    "verify_pack",
]
