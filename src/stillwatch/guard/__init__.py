"""Decides about requests while they wait: in microseconds, reversible, by what a scan has proven.

*Input*: a signed snapshot, orders of the person on call, requests as hashes or as text.
*Output*: a ``Decision`` a request. *Promise*: nothing is accused here; an account that no scan
accused is throttled at most, and only where two kinds of evidence agree; no text is kept; no
decision waits for a disk, a network or a clock; whatever fails of ours lets the request pass
unless its route was told otherwise. Loads no Arrow and no engine.
"""

from stillwatch.guard.decide import Capacity, Guard, Record
from stillwatch.guard.decision import Decision
from stillwatch.guard.orders import Orders, Undo
from stillwatch.guard.request import Origin, Request, request_of, request_of_text

__all__ = [
    "Capacity",
    "Decision",
    "Guard",
    "Orders",
    "Origin",
    "Record",
    "Request",
    "Undo",
    "request_of",
    "request_of_text",
]
