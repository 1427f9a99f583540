"""What kind of network a request came from, and its AS and country where the log has none.

It explains and is never evidence: no signal, weight or segment reads what is written here.
Strangers share a VPN's exits, a class its campus; programs run in data centres. Countries serve
ownership questions of the provider's own and nothing else.
"""

from __future__ import annotations

import ipaddress
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.enrich.address_lists import (
    NETWORK_KINDS,
    AddressDatabase,
    AddressList,
    Told,
    read_database,
    read_list,
)
from stillwatch.errors import ConfigError
from stillwatch.schema.arrow import CONTEXT, EXCHANGE

__all__ = ["NETWORK_TAG", "Context", "Networks", "kinds_of", "read_networks", "with_kinds"]

NETWORK_TAG: Final = "stillwatch.network"
"""The tag of an exchange that names the kind of its network."""

_KNOWN: Final = 200_000


class Networks:
    """Looks addresses up in lists and databases; each distinct one of a batch once."""

    def __init__(
        self, lists: Sequence[AddressList] = (), databases: Sequence[AddressDatabase] = ()
    ) -> None:
        self._lists = sorted(lists, key=lambda one: NETWORK_KINDS.index(one.kind))
        self._databases = databases
        self.tell = lru_cache(maxsize=_KNOWN)(self._tell)

    def columns(self) -> frozenset[str]:
        """Return the columns of an exchange that may be filled."""
        return frozenset({"asn", "country"} if self._databases else ())

    def _tell(self, text: str, asn: int | None) -> Told:
        """Return AS, country and kind of an address; an AS that the log has stands."""
        try:
            address = ipaddress.ip_address(text.strip())
        except ValueError:
            return Told(asn)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        told = [one.tell(address) for one in self._databases]
        if asn is None:
            asn = next((t.asn for t in told if t.asn is not None), None)
        country = next((t.country for t in told if t.country is not None), None)
        kinds = {t.kind for t in told} | {
            one.kind for one in self._lists if one.holds(address, asn)
        }  # fmt: skip
        return Told(asn, country, next((kind for kind in NETWORK_KINDS if kind in kinds), None))

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return exchanges with `NETWORK_TAG`, and ``asn`` and ``country`` where they were null.

        A tag of that name that the log has is replaced: a client could have written it.
        """
        addresses, systems = batch.column("ip").to_pylist(), batch.column("asn").to_pylist()
        told = [
            Told() if ip is None else self.tell(ip, asn)
            for ip, asn in zip(addresses, systems, strict=True)
        ]
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        columns["asn"] = pc.coalesce(columns["asn"], pa.array([t.asn for t in told], pa.int64()))
        columns["country"] = pc.coalesce(
            columns["country"], pa.array([t.country for t in told], pa.string())
        )
        columns["tags"] = with_kinds(columns["tags"], [t.kind for t in told])
        return pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)


def with_kinds(tags: pa.Array, kinds: Sequence[str | None]) -> pa.Array:
    """Return maps of tags in which `NETWORK_TAG` says the kind, or is absent where it is None."""
    made: list[Any] = []
    for held, kind in zip(tags.to_pylist(), kinds, strict=True):
        rest = [pair for pair in held or () if pair[0] != NETWORK_TAG]
        if kind is not None:
            rest.append((NETWORK_TAG, kind))
        made.append(rest if rest or held == [] else None)
    return pa.array(made, EXCHANGE.field("tags").type)


def kinds_of(tags: pa.Array) -> list[str | None]:
    """Return what `NETWORK_TAG` says in each map, None where it says no kind there is."""
    if tags.null_count == len(tags):
        return [None] * len(tags)
    found = pc.map_lookup(tags, pa.scalar(NETWORK_TAG), "last").to_pylist()
    return [kind if kind in NETWORK_KINDS else None for kind in found]


class Context:
    """Counts by account what explains and is no evidence; as large as accounts times kinds."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def watch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Count a batch by account and kind of network, and return it as it is."""
        tags = batch.column("tags")
        if tags.null_count < len(tags):
            kinds = kinds_of(tags)
            pairs = zip(batch.column("account_id").to_pylist(), kinds, strict=True)
            self._counts.update((account, kind) for account, kind in pairs if kind is not None)
        return batch

    def table(self) -> pa.Table:
        """Return the counts in the CONTEXT schema, sorted."""
        rows = [{"account_id": a, "kind": k, "exchanges": n}
                for (a, k), n in sorted(self._counts.items())]  # fmt: skip
        return pa.Table.from_pylist(rows, schema=CONTEXT)


def read_networks(given: Iterable[str | os.PathLike[str]]) -> Networks:
    """Return what looks addresses up, of ``KIND=FILE`` (a list) and ``FILE.mmdb`` (a database).

    Raises ConfigError: neither form, or no such kind; InputError, SchemaError: a file.
    """
    lists, databases = [], []
    for one in (os.fspath(path) for path in given):
        kind, equals, path = one.partition("=")
        if equals and kind in NETWORK_KINDS:
            lists.append(read_list(path, kind))
        elif one.endswith(".mmdb") and not equals:
            databases.append(read_database(one))
        else:
            raise ConfigError(
                "neither KIND=LIST nor a database", where="--networks",
                hint=f"vpn=FILE, or FILE.mmdb; kinds are {', '.join(NETWORK_KINDS)}",
            )  # fmt: skip
    return Networks(lists, databases)
