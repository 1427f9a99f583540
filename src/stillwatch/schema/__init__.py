"""What crosses a room, in plain Python; the Arrow types lie beside it in `schema.arrow`.

Input: nothing. Output: nothing. Promise: importing this room loads neither Arrow nor an
engine, and every name here is the name used in files, tables and messages.
"""

from stillwatch.schema.effects import EFFECTS_HINT, read_effects
from stillwatch.schema.files import read_toml, write_whole
from stillwatch.schema.finding import CohortTest, Finding, Null
from stillwatch.schema.indicator import INDICATOR_FIELDS, Indicator, indicator_of
from stillwatch.schema.judgement import (
    ADVERSE,
    APPEAL_STATES,
    CASE_STATES,
    REASONS,
    Appeal,
    Case,
    Decision,
    NotedIndicator,
    Sighting,
)
from stillwatch.schema.run import (
    ACCOUNTS,
    CAMPAIGNS,
    EXIT_ACCUSED,
    EXIT_CLEAR,
    EXIT_INPUT,
    EXIT_USAGE,
    LINKS,
    REJECTED,
    REPORT,
    RESUME,
    SHARED,
    SIGNALS,
    STAGES,
    STIX,
    SUBJECTS,
    SUMMARY,
    TIMING,
)
from stillwatch.schema.settings import Settings
from stillwatch.schema.step import Desk, Step
from stillwatch.schema.times import from_micros, parse_time, to_micros
from stillwatch.schema.words import (
    ACCESS,
    CLAIMS,
    LINK_KINDS,
    METHODS,
    ROLES,
    SIGNUP_WINDOWS_S,
    STANDINGS,
    STATUSES,
    TEMPLATE_COLUMNS,
    TEMPLATE_LENGTHS,
    VERDICTS,
    LinkKind,
)

__all__ = [
    "ACCESS",
    "ACCOUNTS",
    "ADVERSE",
    "APPEAL_STATES",
    "CAMPAIGNS",
    "CASE_STATES",
    "CLAIMS",
    "EFFECTS_HINT",
    "EXIT_ACCUSED",
    "EXIT_CLEAR",
    "EXIT_INPUT",
    "EXIT_USAGE",
    "INDICATOR_FIELDS",
    "LINKS",
    "LINK_KINDS",
    "METHODS",
    "REASONS",
    "REJECTED",
    "REPORT",
    "RESUME",
    "ROLES",
    "SHARED",
    "SIGNALS",
    "SIGNUP_WINDOWS_S",
    "STAGES",
    "STANDINGS",
    "STATUSES",
    "STIX",
    "SUBJECTS",
    "SUMMARY",
    "TEMPLATE_COLUMNS",
    "TEMPLATE_LENGTHS",
    "TIMING",
    "VERDICTS",
    "Appeal",
    "Case",
    "CohortTest",
    "Decision",
    "Desk",
    "Finding",
    "Indicator",
    "LinkKind",
    "NotedIndicator",
    "Null",
    "Settings",
    "Sighting",
    "Step",
    "from_micros",
    "indicator_of",
    "parse_time",
    "read_effects",
    "read_toml",
    "to_micros",
    "write_whole",
]
