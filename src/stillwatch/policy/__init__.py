"""What is allowed and to whom; says nothing about guilt.

*Input*: permits and ownership answers as plain records. *Output*: whether an exchange is inside a
permit's scope, what exceeds it, and the access that ownership alone decides. *Promise*: an
ownership answer never changes a standing, and a permit never hides its excess.
"""

from stillwatch.policy.ladder import MODES, Ladder, ladder_from_mapping, read_ladder
from stillwatch.policy.ownership import access_of
from stillwatch.policy.permits import Permit, PermitUse, judge_permits, permits_from_rows

__all__ = [
    "MODES",
    "Ladder",
    "Permit",
    "PermitUse",
    "access_of",
    "judge_permits",
    "ladder_from_mapping",
    "permits_from_rows",
    "read_ladder",
]
