"""Links and findings → campaigns: select, name members, rule out rivals, describe, measure.

*Input*: the tables of `links`, `signals` and `profiles`, permits. *Output*: `Judgement`s, which
the main job writes as campaigns.jsonl, accounts.parquet and the pictures' tables.
*Promise*: an account is accused only as point 5 of the design demands: its campaign is selected by
e-BH, no benign explanation survives, its own behaviour fits (posterior ≥ 0.999), and two kinds of
evidence hold, one of which nobody else can create for it. Everything else is `watch` at most.
"""

from stillwatch.campaigns.judge import Judgement, judge
from stillwatch.campaigns.prevalence import measure_prevalence
from stillwatch.campaigns.select import Choice, choose
from stillwatch.campaigns.value import Assumptions, harvest_value, load_assumptions, value_at_risk

__all__ = [
    "Assumptions",
    "Choice",
    "Judgement",
    "choose",
    "harvest_value",
    "judge",
    "load_assumptions",
    "measure_prevalence",
    "value_at_risk",
]
