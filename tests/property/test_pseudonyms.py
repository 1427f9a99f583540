"""Pseudonyms hide values, keep what joins, and depend on the key and the value alone."""

from __future__ import annotations

import ipaddress
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.enrich import KINDS, Pseudonyms, pseudonymize_batch
from stillwatch.enrich.pseudonyms import is_pseudonym
from stillwatch.errors import SchemaError
from stillwatch.kernel import address_prefix
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources.inputs import complete

ONE, OTHER = Pseudonyms(bytes(range(32))), Pseudonyms(bytes(32))
kinds = st.sampled_from(KINDS)
values = st.text(max_size=40)
addresses = st.ip_addresses().map(str)


@given(kinds, values, values)
def test_equal_values_and_only_they_have_equal_pseudonyms(kind: str, a: str, b: str) -> None:
    assert (ONE.of(kind, a) == ONE.of(kind, b)) == (a == b)
    assert is_pseudonym(ONE.of(kind, a))


@given(kinds, kinds, values)
def test_kinds_and_keys_are_apart(kind: str, other: str, value: str) -> None:
    assert (ONE.of(kind, value) == ONE.of(other, value)) == (kind == other)
    assert ONE.of(kind, value) != OTHER.of(kind, value)
    assert Pseudonyms(bytes(range(32))).of(kind, value) == ONE.of(kind, value)


@given(addresses, addresses)
def test_addresses_keep_their_prefixes_and_nothing_else(a: str, b: str) -> None:
    x, y = ONE.address(a), ONE.address(b)
    assert x is not None
    assert y is not None
    assert (x == y) == (_plain(a) == _plain(b))
    assert (address_prefix(x) == address_prefix(y)) == (address_prefix(a) == address_prefix(b))
    assert ipaddress.ip_address(x).version == _plain(a).version


@given(st.integers(0, 2**24 - 1), st.integers(0, 255), st.integers(0, 255))
def test_neighbours_stay_neighbours(network: int, one: int, other: int) -> None:
    a, b = (str(ipaddress.IPv4Address(network << 8 | host)) for host in (one, other))
    x, y = ONE.address(a), ONE.address(b)
    assert address_prefix(x or "") == address_prefix(y or "")
    assert (x == y) == (a == b)


def test_a_whole_network_is_permuted() -> None:
    """…and 50,000 networks too; a hash of 24 bits would repeat itself some 74 times."""
    assert len({ONE.address(f"198.51.100.{host}") for host in range(256)}) == 256
    some = [str(ipaddress.IPv4Address(n * 83 << 8)) for n in range(50_000)]
    assert len({address_prefix(ONE.address(a) or "") for a in some}) == 50_000


def _plain(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    parsed = ipaddress.ip_address(text)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return mapped or parsed


rows = st.lists(
    st.fixed_dictionaries(
        {
            "exchange_id": values, "account_id": values, "org_id": st.none() | values,
            "end_user_id": st.none() | values, "key_id": st.none() | values,
            "ip": st.none() | addresses | st.just("unix:/run/x"),
            "tags": st.none() | st.just([("mail", "jo@example.com")]),
            "ts": st.just(0), "model": st.just("m"),
        }
    ),
    min_size=1, max_size=30,
)  # fmt: skip


def batch_of(found: list[dict[str, object]]) -> pa.RecordBatch:
    names = [name for name in EXCHANGE.names if name in found[0]]
    schema = pa.schema([EXCHANGE.field(name) for name in names])
    return complete(pa.RecordBatch.from_pylist(found, schema=schema))


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(1, 7))
def test_a_batch_is_changed_row_by_row_alike_however_it_is_split(
    found: list[dict[str, object]], size: int
) -> None:
    whole = batch_of(found)
    notes: Counter[str] = Counter()
    done = pseudonymize_batch(whole, ONE, notes)
    parts = [
        pseudonymize_batch(whole.slice(at, size), Pseudonyms(bytes(range(32))), Counter())
        for at in range(0, len(found), size)
    ]
    assert pa.Table.from_batches([done]).equals(pa.Table.from_batches(parts).combine_chunks())
    assert done.schema == EXCHANGE
    for name in ("exchange_id", "account_id", "org_id", "end_user_id", "key_id"):
        raw, made = whole[name].to_pylist(), done[name].to_pylist()
        assert [value is None for value in raw] == [value is None for value in made]
        assert len(set(raw)) == len(set(made))
        assert all(value is None or is_pseudonym(value) for value in made)
    assert done["tags"].null_count == len(found)
    lost = sum(row["ip"] == "unix:/run/x" for row in found)
    assert notes["addresses that are none, left out"] == lost


def test_a_pseudonym_is_not_made_a_pseudonym_again() -> None:
    row = {"exchange_id": "x", "account_id": ONE.of("account", "a"), "ts": 0, "model": "m"}
    with pytest.raises(SchemaError, match="pseudonyms already"):
        pseudonymize_batch(batch_of([row]), OTHER, Counter())
