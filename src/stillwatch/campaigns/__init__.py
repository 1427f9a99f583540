"""Links and findings → campaigns: select, name members, rule out rivals, describe, measure.

*Input*: the tables of `links`, `signals` and `profiles`, permits. *Output*: `Judgement`s, which
the main job writes as campaigns.jsonl, accounts.parquet and the pictures' tables.
*Promise*: an account is accused only as point 5 of the design demands: its campaign is selected by
e-BH, no benign explanation survives, its own behaviour fits (posterior ≥ 0.999), and two kinds of
evidence hold, one of which nobody else can create for it. Everything else is `watch` at most.
"""

from stillwatch.campaigns.acts import ACTS_STEP
from stillwatch.campaigns.coverage import coverage_table
from stillwatch.campaigns.frames import Template, templates_of
from stillwatch.campaigns.judge import Campaign, Judgement, judge
from stillwatch.campaigns.pictures import clock_table, raster_table, volume_table
from stillwatch.campaigns.prevalence import measure_prevalence
from stillwatch.campaigns.select import Choice, choose
from stillwatch.campaigns.shared import (
    Carrier,
    carriers_of_shared,
    put_on_watch,
    shared_lines,
)
from stillwatch.campaigns.tables import (
    account_rows,
    campaign_lines,
    link_table,
    signal_table,
    stamp,
    tokens_of,
)
from stillwatch.campaigns.value import (
    Assumptions,
    check_range,
    harvest_value,
    load_assumptions,
    scaled,
    value_at_risk,
)

__all__ = [
    "ACTS_STEP",
    "Assumptions",
    "Campaign",
    "Carrier",
    "Choice",
    "Judgement",
    "Template",
    "account_rows",
    "campaign_lines",
    "carriers_of_shared",
    "check_range",
    "choose",
    "clock_table",
    "coverage_table",
    "harvest_value",
    "judge",
    "link_table",
    "load_assumptions",
    "measure_prevalence",
    "put_on_watch",
    "raster_table",
    "scaled",
    "shared_lines",
    "signal_table",
    "stamp",
    "templates_of",
    "tokens_of",
    "value_at_risk",
    "volume_table",
]
