"""A member's side of the exchange: an outbox that works off-line, and what comes back.

In: objects built by `share.content`, a home folder with share.toml. Out: signed releases, receipts,
an indicators file. Promise: nothing leaves without two persons, a legal basis in force and the
guard; every step can be repeated and changes nothing the second time.
"""

from stillwatch.share.client.audit import export, summarize, verify_own, verify_receipt
from stillwatch.share.client.foreign import Imported, import_stix
from stillwatch.share.client.holders import Holders, hub_client, open_holders
from stillwatch.share.client.home import Home, open_home, start_home
from stillwatch.share.client.outbox import (
    appeal,
    opine,
    prepare,
    prepare_campaign,
    revoke,
    sight,
)
from stillwatch.share.client.packages import Package, package_of, packages
from stillwatch.share.client.proofs import Proven, check, fetch_proofs
from stillwatch.share.client.pull import INDICATORS, pull, write_indicators
from stillwatch.share.client.release import release, review
from stillwatch.share.client.send import send
from stillwatch.share.client.taxii import Collection

__all__ = [
    "INDICATORS",
    "Collection",
    "Holders",
    "Home",
    "Imported",
    "Package",
    "Proven",
    "appeal",
    "check",
    "export",
    "fetch_proofs",
    "hub_client",
    "import_stix",
    "open_holders",
    "open_home",
    "opine",
    "package_of",
    "packages",
    "prepare",
    "prepare_campaign",
    "pull",
    "release",
    "review",
    "revoke",
    "send",
    "sight",
    "start_home",
    "summarize",
    "verify_own",
    "verify_receipt",
    "write_indicators",
]
