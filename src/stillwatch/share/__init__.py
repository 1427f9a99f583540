"""Rivals warn each other, lawfully, without showing their customers.

*In*: lines of campaigns.jsonl and indicator rows, handed over by `cli`. *Out*: STIX 2.1 bundles;
why an object may not be shared. *Promise*: no account, address, hash of an identifier or text of a
prompt is in them; what is not on the closed list is refused; ids depend on content: the same run,
the same bytes.
"""

from stillwatch.share.antitrust import (
    normal,
    refusals,
    refusals_of_bundle,
    refusals_of_text,
)
from stillwatch.share.prose import faults, unlisted
from stillwatch.share.rules import RULES
from stillwatch.share.stix import bundle, bundle_of, campaign_objects

__all__ = [
    "RULES",
    "bundle",
    "bundle_of",
    "campaign_objects",
    "faults",
    "normal",
    "refusals",
    "refusals_of_bundle",
    "refusals_of_text",
    "unlisted",
]
