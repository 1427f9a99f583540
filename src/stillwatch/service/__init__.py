"""`watch`: logs that arrive become days, looks, cases and alerts, for as long as it runs.

*Input*: folders into which logs come, options of `scan`, alerts.toml. *Output*: a folder with the
days, a run directory a look, the journal of looks, and alerts at their receivers. *Promise*: a look
whose exchanges arrived within the horizon is, byte for byte, the scan of the same window; every
look spends of one budget; a kill at any moment loses nothing and counts nothing twice; an alert
comes at least once, names nobody and quotes nothing.

Needs ``pip install stillwatch[watch]``.
"""

from stillwatch.service.alerts import KINDS, Alert
from stillwatch.service.channels import read_channels
from stillwatch.service.due import Cadence, Standing, parse_span
from stillwatch.service.hours import Hours, parse_hours
from stillwatch.service.journal import Journal, Look
from stillwatch.service.outbox import Channel, Flushed, Outbox, Unsent
from stillwatch.service.watching import Cycle, Plan, Watch

__all__ = [
    "KINDS",
    "Alert",
    "Cadence",
    "Channel",
    "Cycle",
    "Flushed",
    "Hours",
    "Journal",
    "Look",
    "Outbox",
    "Plan",
    "Standing",
    "Unsent",
    "Watch",
    "parse_hours",
    "parse_span",
    "read_channels",
]
