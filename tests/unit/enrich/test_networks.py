"""Networks and disposable domains explain; no standing, link or signal depends on them."""

from __future__ import annotations

import gzip
import ipaddress
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mmdb_writer
import netaddr
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.enrich import (
    Context,
    Pseudonyms,
    disposable_accounts,
    pseudonymize_batch,
    read_accounts,
    read_domains,
    read_networks,
)
from stillwatch.enrich.address_lists import AddressList
from stillwatch.errors import ConfigError, InputError, SchemaError
from stillwatch.report.why import why
from stillwatch.scanner import scan
from stillwatch.schema.arrow import CONTEXT, EXCHANGE
from stillwatch.simulate import simulate
from stillwatch.sources.inputs import complete
from stillwatch.store import open_run


def batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    made = [
        {"exchange_id": f"x{i}", "ts": datetime(2026, 3, 1, tzinfo=UTC), "account_id": "a",
         "model": "m", "ip": None, "asn": None, "country": None, "tags": None} | row
        for i, row in enumerate(rows)
    ]  # fmt: skip
    names = [n for n in EXCHANGE.names if n in made[0]]
    return complete(
        pa.RecordBatch.from_pylist(made, schema=pa.schema([EXCHANGE.field(n) for n in names]))
    )


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Write a database with the writer of the format, in the shapes of three makers."""
    writer = mmdb_writer.MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="test")
    for network, record in (
        ("192.0.2.0/24", {"autonomous_system_number": 64500, "country": {"iso_code": "AT"}}),
        ("198.51.100.0/24", {"asn": "AS64501", "country_code": "NZ"}),
        ("203.0.113.0/24", {"is_anonymous": True, "is_anonymous_vpn": True}),
        ("2001:db8::/32", {"autonomous_system_number": 64502}),
    ):
        writer.insert_network(netaddr.IPSet([network]), record)
    writer.to_db_file(str(tmp_path / "made.mmdb"))
    return tmp_path / "made.mmdb"


def test_a_database_fills_what_the_log_lacks_and_overwrites_nothing(database: Path) -> None:
    looked_up = read_networks([database])
    assert looked_up.columns() == {"asn", "country"}
    done = looked_up.apply(batch([
        {"ip": "192.0.2.7"}, {"ip": "198.51.100.7"}, {"ip": "203.0.113.7"}, {"ip": "2001:db8::1"},
        {"ip": "::ffff:192.0.2.7"}, {"ip": "192.0.2.7", "asn": 1, "country": "XX"}, {"ip": "junk"},
        {}, {"ip": "233.252.0.1"},
    ]))  # fmt: skip
    assert done["asn"].to_pylist() == [64500, 64501, None, 64502, 64500, 1, None, None, None]
    assert done["country"].to_pylist() == ["AT", "NZ", None, None, "AT", "XX", None, None, None]
    assert done["tags"].to_pylist() == [
        [("stillwatch.network", "vpn")] if at == 2 else None for at in range(9)
    ]
    assert done.schema == EXCHANGE


def test_of_several_kinds_the_more_particular_counts_and_a_clients_tag_does_not(
    tmp_path: Path, database: Path
) -> None:
    (tmp_path / "dc.txt").write_text(
        "# remark\n10.0.0.0/8\nAS64500 # by its system\n2001:db8::/33\n"
    )
    (tmp_path / "vpn.txt").write_text("10.1.0.0/16\n10.1.2.3\n")
    looked_up = read_networks(
        [database, f"datacenter={tmp_path / 'dc.txt'}", f"vpn={tmp_path / 'vpn.txt'}"]
    )
    forged = [("stillwatch.network", "corporate"), ("team", "x")]
    done = looked_up.apply(batch([
        {"ip": "10.1.2.3", "tags": forged}, {"ip": "10.2.0.1"}, {"ip": "192.0.2.1"},
        {"ip": "11.0.0.1", "tags": forged}, {"ip": "2001:db8::1"}, {"ip": "2001:db8:8000::1"},
    ]))  # fmt: skip
    kinds = [dict(tags or []).get("stillwatch.network") for tags in done["tags"].to_pylist()]
    assert kinds == ["vpn", "datacenter", "datacenter", None, "datacenter", None]
    assert dict(done["tags"][0].as_py())["team"] == dict(done["tags"][3].as_py())["team"] == "x"


networks = st.lists(st.ip_addresses(v=4).flatmap(lambda a: st.builds(
    lambda bits: ipaddress.ip_network((a, bits), strict=False), st.integers(4, 32))),
    max_size=12)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(networks, st.lists(st.ip_addresses(v=4), max_size=6))
def test_a_list_holds_what_one_of_its_networks_holds(held: list[Any], asked: list[Any]) -> None:
    found = AddressList("vpn", held, frozenset())
    edges = [address for n in held for address in (n[0], n[-1])]
    for address in [*asked, *edges]:
        assert found.holds(address, None) == any(address in n for n in held)


@pytest.mark.parametrize("pack", [lambda b: b, gzip.compress, zstandard.ZstdCompressor().compress])
def test_lists_are_read_packed(tmp_path: Path, pack: Any) -> None:
    (tmp_path / "l").write_bytes(pack(b"192.0.2.0/24\n"))
    assert read_networks([f"nat={tmp_path / 'l'}"]).tell("192.0.2.1", None).kind == "nat"


@pytest.mark.parametrize(
    ("text", "given", "error", "said"),
    [
        ("10.0.0.0/8\nnonsense\n", "vpn={}", SchemaError, r"list:2: neither a network"),
        ("AS12x\n", "vpn={}", SchemaError, r"list:1: neither"),
        ("", "vip={}", ConfigError, r"neither KIND=LIST"),
        ("", "{}", ConfigError, r"neither KIND=LIST"),
        ("no database", "{}.mmdb", InputError, r"no MaxMind database"),
        ("\x1f\x8bno gzip", "vpn={}", InputError, r"damaged or truncated compressed data"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, text: str, given: str, error: type, said: str
) -> None:
    file = tmp_path / ("list.mmdb" if given.endswith("mmdb") else "list")
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(error, match=said):
        read_networks([given.format(tmp_path / "list")])


@pytest.mark.data
def test_published_lists_are_read(stillwatch_data: Path) -> None:
    lists = stillwatch_data / "network"
    looked_up = read_networks(
        [f"vpn={lists / 'vpn_ipv4.txt.zst'}", f"datacenter={lists / 'datacenter_ipv4.txt.zst'}",
         f"datacenter={lists / 'datacenter_asn.txt.zst'}"]
    )  # fmt: skip
    assert looked_up.tell("2.56.16.1", None).kind == "vpn"
    assert looked_up.tell("1.12.0.1", None).kind == "datacenter"
    assert looked_up.tell("192.0.2.1", 45090).kind == "datacenter"
    assert looked_up.tell("192.0.2.1", None).kind is None


def test_a_kind_outlives_the_address_and_no_other_tag_does(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("192.0.2.0/24\n")
    done = read_networks([f"vpn={tmp_path / 'l'}"]).apply(
        batch([{"ip": "192.0.2.1", "tags": [("mail", "jo@example.com")]}, {"ip": "198.51.100.1"}])
    )
    made = pseudonymize_batch(done, Pseudonyms(bytes(32)), Counter())
    assert made["tags"].to_pylist() == [[("stillwatch.network", "vpn")], None]
    context = Context()
    context.watch(made)
    (row,) = context.table().to_pylist()
    assert (row["kind"], row["exchanges"]) == ("vpn", 1)


# Disposable domains


def test_disposable_domains_of_a_file_and_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text("# remark\nTrash.Example\n")
    domains = read_domains(tmp_path / "d.txt")
    assert domains == {"trash.example"}
    names = ["x.trash.example", "nottrash.example", None, "TRASH.example"]
    table = pa.table({"account_id": ["a", "b", "c", "d"], "email_domain": names})
    assert disposable_accounts(table, domains)["account_id"].to_pylist() == ["a", "d"]
    shipped = read_domains("package")
    assert "mailinator.com" in shipped
    assert "gmail.com" not in shipped
    with pytest.raises(InputError):
        read_domains(tmp_path / "none")


# In a run


@pytest.mark.slow
def test_a_scan_says_it_and_judges_no_otherwise(tmp_path: Path) -> None:
    """All that a run says but the context is the same, byte for byte, with lists and without."""
    world = simulate("tiny", seed=5, out=tmp_path / "world")
    (tmp_path / "everything").write_text("0.0.0.0/0\n::/0\n")
    known = read_accounts(world.accounts_csv).table["email_domain"].to_pylist()
    (tmp_path / "domains").write_text("\n".join(sorted(d for d in known if d)))
    given = {"accounts": world.accounts_csv, "threads": 1}
    plain = scan([world.out / "exchanges"], out=tmp_path / "plain", **given)
    done = scan(
        [world.out / "exchanges"], out=tmp_path / "told", **given,
        networks=[f"vpn={tmp_path / 'everything'}"], disposable=tmp_path / "domains",
    )  # fmt: skip
    ours = {"timing.json", "context.parquet"}
    for file in sorted(plain.run_dir.rglob("*")):
        if file.is_file() and file.name not in ours:
            other = done.run_dir / file.relative_to(plain.run_dir)
            assert other.read_bytes() == file.read_bytes(), file.name
    assert not open_run(plain.run_dir).has("context")
    run = open_run(done.run_dir)
    table = run.table("context")
    assert table.schema == CONTEXT
    kinds: dict[str, set[str]] = {}
    for row in table.to_pylist():
        kinds.setdefault(row["account_id"], set()).add(row["kind"])
    account = next(a for a, held in sorted(kinds.items()) if len(held) == 2)
    (told,) = [s for s in why(run, account) if s.heading == "What explains its traffic"]
    assert "came through a VPN service by your lists; of all requests" in told.points[0]
    assert any("e-mail domain is on the list of disposable ones" in p for p in told.points)
    assert told.points[-1] == "Nothing of this was weighed, for it or against it."
    assert not [s for s in why(open_run(plain.run_dir), account) if "explains" in s.heading]
