"""features → exchanges in order, and one row per subject.

*Input*: `features` (one row an exchange, fixed columns) and the side tables `accounts`.
*Output*: `repeats` (which row of a repeated exchange_id stays), `people` (who sent what stayed),
`exchanges` (repeats dropped, cut to the window, numbered in time order, each with its subject,
organization, segment and block), `follow_ups` (own conversations continued) and `subjects` (one
row a subject, in order).
*Promise*: all are the same for any order, split or format of the input rows.
"""

from stillwatch.profiles.exchanges import (
    EXCHANGES_STEP,
    FOLLOW_UPS_STEP,
    PEOPLE_STEP,
    REPEATS_STEP,
    in_window,
)
from stillwatch.profiles.subjects import SUBJECTS_STEP

STEPS = (REPEATS_STEP, PEOPLE_STEP, EXCHANGES_STEP, FOLLOW_UPS_STEP, SUBJECTS_STEP)
__all__ = [
    "EXCHANGES_STEP",
    "FOLLOW_UPS_STEP",
    "PEOPLE_STEP",
    "REPEATS_STEP",
    "STEPS",
    "SUBJECTS_STEP",
    "in_window",
]
