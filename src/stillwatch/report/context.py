"""What explains an account's traffic and is evidence of nothing, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pyarrow.compute as pc

from stillwatch.report.numbers import counted, share
from stillwatch.store import Run

__all__ = ["explain_context"]

_NETWORKS: Final = {
    "tor": ("the Tor network", "strangers share its exits"),
    "proxy": ("a proxy service", "strangers share its exits"),
    "vpn": ("a VPN service", "strangers share its exits"),
    "nat": ("a carrier's address translation", "thousands of subscribers share an address"),
    "mobile": ("a mobile network", "thousands of subscribers share an address"),
    "corporate": ("a company's network", "its staff share an address"),
    "education": ("a campus", "a class shares an address"),
    "datacenter": ("a data centre", "programs run there, and so do gateways of many customers"),
}
_DISPOSABLE: Final = "disposable_email"


def explain_context(run: Run, row: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each kind of network and for a disposable address; none, if unknown.

    ``row``: the account's in accounts.parquet.
    """
    if not run.has("context"):
        return
    table = run.table("context")
    mine = table.filter(pc.equal(table["account_id"], row["account_id"])).to_pylist()
    everybody = sum(run.table("accounts", ["exchanges"])["exchanges"].to_pylist())
    for one in mine:
        if one["kind"] in _NETWORKS and row.get("exchanges"):
            name, so = _NETWORKS[one["kind"]]
            all_of_it = pc.sum(
                table.filter(pc.equal(table["kind"], one["kind"]))["exchanges"]
            ).as_py()
            yield (
                f"{share(min(1.0, one['exchanges'] / row['exchanges']))} of its requests came "
                f"through {name} by your lists; of all requests, "
                f"{share(min(1.0, all_of_it / everybody))}. There {so}: a shared address says "
                "little."
            )
        elif one["kind"] == _DISPOSABLE:
            others = sum(kind == _DISPOSABLE for kind in table["kind"].to_pylist()) - 1
            yield (
                "Its e-mail domain is on the list of disposable ones, as "
                + (f"that of {counted(others, 'other account')} is" if others else "no other's is")
                + "; many use one for no harm."
            )
    if mine:
        yield "Nothing of this was weighed, for it or against it."
