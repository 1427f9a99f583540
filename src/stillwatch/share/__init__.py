"""Campaigns as STIX 2.1, identity-free.

*Input*: lines of campaigns.jsonl. *Output*: a bundle. *Promise*: no account, address, hash of an
identifier or text of a prompt is in it; ids depend on content: the same run, the same bytes.
"""

from stillwatch.share.stix import bundle

__all__ = ["bundle"]
