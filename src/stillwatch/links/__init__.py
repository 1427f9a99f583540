"""Objects that accounts share → weighted links and candidate cohorts.

*Input*: `exchanges`, `subjects`. *Output*: `frames` (templates that strangers carry), `objects`
(who carries which shared value), `direct` (evidence between two named subjects), `weights` (links
in nats, star-shaped: object → subject), `cohorts` and `cohort_members` (hypotheses to be tested),
`spoken` (the exchanges that speak for each of them).
*Promise*: what moves with time is read from the discovery blocks (part A) alone, so that the
tests on part B are not made on the data that suggested them; an object over the hub cap makes no
links and becomes a cohort; an object's own popularity never discounts it below zero.
"""

from stillwatch.links.cohorts import COHORTS_STEP, MEMBERS_STEP
from stillwatch.links.direct import DIRECT_STEP
from stillwatch.links.frames import CARRIED_STEP, FRAMES_STEP, HITS_STEP, NODES_STEP
from stillwatch.links.objects import OBJECTS_STEP
from stillwatch.links.pools import POOLS_STEP
from stillwatch.links.spoken import CHOSEN_STEP, SPOKEN_STEP
from stillwatch.links.weights import WEIGHTS_STEP

STEPS = (
    NODES_STEP,
    HITS_STEP,
    FRAMES_STEP,
    CARRIED_STEP,
    DIRECT_STEP,
    OBJECTS_STEP,
    WEIGHTS_STEP,
    POOLS_STEP,
    COHORTS_STEP,
    MEMBERS_STEP,
    CHOSEN_STEP,
    SPOKEN_STEP,
)
__all__ = ["STEPS"]
