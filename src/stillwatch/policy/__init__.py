"""What is allowed and to whom; says nothing about guilt.

*Input*: permits, ownership statements, rules and policy files as plain records. *Output*: whether
an exchange is inside a permit's scope, what exceeds it, and the access that ownership alone
decides. *Promise*: an ownership answer never changes a standing, not knowing never denies, and a
permit never hides its excess.
"""

from stillwatch.policy.access import (
    AccessDecision,
    AccessPolicy,
    example_policy,
    read_policy,
)
from stillwatch.policy.citations import (
    Citation,
    describe_citation,
    erase_citations,
    read_citations,
    write_citations,
)
from stillwatch.policy.ladder import (
    MODES,
    Ladder,
    ladder_from_mapping,
    read_ladder,
    verdict_of_access,
)
from stillwatch.policy.owners import OwnershipRule, example_rules, read_rules, read_statements
from stillwatch.policy.ownership import access_of
from stillwatch.policy.ownership_table import (
    OwnershipRow,
    answer_owners,
    explain_owner,
    table_text,
    told_not_in_force,
)
from stillwatch.policy.permits import Permit, PermitUse, judge_permits, permits_from_rows
from stillwatch.policy.touch import RUNGS, TOUCH_COUNTS, limit_sql, touched_sql

__all__ = [
    "MODES",
    "RUNGS",
    "TOUCH_COUNTS",
    "AccessDecision",
    "AccessPolicy",
    "Citation",
    "Ladder",
    "OwnershipRow",
    "OwnershipRule",
    "Permit",
    "PermitUse",
    "access_of",
    "answer_owners",
    "describe_citation",
    "erase_citations",
    "example_policy",
    "example_rules",
    "explain_owner",
    "judge_permits",
    "ladder_from_mapping",
    "limit_sql",
    "permits_from_rows",
    "read_citations",
    "read_ladder",
    "read_policy",
    "read_rules",
    "read_statements",
    "table_text",
    "told_not_in_force",
    "touched_sql",
    "verdict_of_access",
    "write_citations",
]
