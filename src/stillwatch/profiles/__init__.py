"""features → exchanges in order, and one row per subject.

*Input*: `features` (one row an exchange, fixed columns) and the side tables `accounts`.
*Output*: `exchanges` (repeats dropped, cut to the window, numbered in time order, each with its
subject, organization, segment and block) and `subjects` (one row a subject, in order).
*Promise*: both are the same for any order, split or format of the input rows.
"""

from stillwatch.profiles.exchanges import EXCHANGES_STEP, PEOPLE_STEP
from stillwatch.profiles.subjects import SUBJECTS_STEP

STEPS = (PEOPLE_STEP, EXCHANGES_STEP, SUBJECTS_STEP)
__all__ = ["EXCHANGES_STEP", "PEOPLE_STEP", "STEPS", "SUBJECTS_STEP"]
