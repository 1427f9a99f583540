"""What others share puts accounts on watch at most; a lying file accuses and spares nobody."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.cli.app import run
from stillwatch.enrich import read_indicators
from stillwatch.errors import InputError, SchemaError
from stillwatch.scanner import scan
from stillwatch.simulate import SimulatedWorld, simulate

NOW = datetime(2026, 11, 26, tzinfo=UTC)
# Who shares templates, items or exits with strangers for honest reasons
ALIKE = {"template", "plugin", "evals", "classroom", "hackathon", "workflow", "gateway", "agents"}
COLUMNS = {"system_prompt": ["h_system"], "tool_schema": ["h_tools"],
           "near_text": [f"band_{k}" for k in range(8)], "frame_head_8": ["head_8"]}  # fmt: skip


def line(kind: str, value: str, **more: Any) -> dict[str, Any]:
    return {
        "indicator_id": "indicator--4a1d7b1e-65a5-4d39-9d8b-50f7c7a1c001", "kind": kind,
        "value": value, "epoch": None,
        "campaign_id": "campaign--4a1d7b1e-65a5-4d39-9d8b-50f7c7a1c002",
        "contributor": "identity--4a1d7b1e-65a5-4d39-9d8b-50f7c7a1c003", "weight": 0.25,
        "valid_from": "2026-11-20T00:00:00Z", "valid_until": "2027-02-01T00:00:00Z", **more,
    }  # fmt: skip


def written(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    return simulate("small", seed=5, out=tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def before(world: SimulatedWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return look(world, tmp_path_factory.mktemp("before"))


def look(world: SimulatedWorld, out: Path, **options: Any) -> Path:
    scan([world.out / "exchanges"], accounts=world.accounts_csv, out=out, now=NOW, **options)
    return out


def standings(folder: Path) -> dict[str, str]:
    rows = pq.read_table(folder / "accounts.parquet", columns=["account_id", "standing"])
    return {row["account_id"]: row["standing"] for row in rows.to_pylist()}


def honest(world: SimulatedWorld) -> set[str]:
    rows = pq.read_table(world.truth_parquet).to_pylist()
    return {row["account_id"] for row in rows if row["campaign"] is None}


def fingerprints(folder: Path, accounts: set[str]) -> list[tuple[str, str]]:
    """Return every fingerprint of every exchange of the accounts: what a liar would share."""
    table = pq.read_table(folder / "stages/exchanges.parquet")
    mine = [account in accounts for account in table["account_id"].to_pylist()]
    table = table.filter(mine)
    return sorted(
        (kind, f"{value:016x}")
        for kind, columns in COLUMNS.items()
        for value in {v for column in columns for v in table[column].to_pylist() if v}
    )


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 40])
def test_all_fingerprints_of_honest_accounts_accuse_nobody(world, before, tmp_path, members):
    """40 members of the best record say of every honest text that it is a campaign's."""
    lies = fingerprints(before, honest(world))
    assert len(lies) > 5_000
    names = [f"identity--4a1d7b1e-65a5-4d39-9d8b-50f7c7a1{k:04x}" for k in range(members)]
    file = written(
        tmp_path / "lies.jsonl",
        *(line(*lie, weight=0.8, contributor=names[k % members]) for k, lie in enumerate(lies)),
    )
    after = look(world, tmp_path / "after", indicators=file)
    old, new = standings(before), standings(after)
    assert "accused" in old.values(), "this world has campaigns"
    changed = {account for account in old if old[account] != new[account]}
    assert changed, "the lies are seen"
    assert {(old[a], new[a]) for a in changed} == {("clear", "watch")}
    families = {
        row["account_id"]: row["family"]
        for row in pq.read_table(world.truth_parquet, columns=["account_id", "family"]).to_pylist()
    }
    for family in sorted(ALIKE):
        group = {account for account in new if families[account] == family}
        assert group, family
        assert {new[a] for a in group} <= {"clear", "watch", "permitted"}, family
    same = ("campaigns.jsonl", "signals.parquet", "links.parquet", "stix.json")
    for name in same:
        assert (before / name).read_bytes() == (after / name).read_bytes(), name
    rows = [json.loads(text) for text in (after / "shared.jsonl").read_text().splitlines()]
    assert changed == {row["account_id"] for row in rows} & changed
    assert max(row["weight"] for row in rows) <= 0.8


@pytest.mark.slow
def test_who_carries_what_was_shared_is_watched_and_explained(world, before, tmp_path, capsys):
    """One honest account's own system prompt is shared: it is watched, with the reason."""
    carriers: dict[str, set[str]] = {}
    table = pq.read_table(before / "stages/exchanges.parquet", columns=["account_id", "h_system"])
    for account, value in zip(*(table[c].to_pylist() for c in table.column_names), strict=True):
        carriers.setdefault(f"{value:016x}" if value else "", set()).add(account)
    old = standings(before)
    common = max((v for v in carriers if v), key=lambda v: len(carriers[v]))
    assert len(carriers[common]) > 50
    rare = min(
        (v for v in carriers if v and {old[a] for a in carriers[v]} == {"clear"}),
        key=lambda v: (len(carriers[v]), v),
    )
    (account,) = carriers[rare]
    file = written(
        tmp_path / "told.jsonl", line("system_prompt", rare), line("system_prompt", common),
        line("token_phone", "ab" * 32, epoch="2026-11"),
    )  # fmt: skip
    after = look(world, tmp_path / "after", indicators=file)
    assert {a for a, s in standings(after).items() if s != old[a]} == {account}
    (row,) = map(json.loads, (after / "shared.jsonl").read_text().splitlines())
    assert (row["standing"], row["weight"], row["kinds"]) == ("watch", 0.25, ["system_prompt"])
    assert run(["explain", account, "--run", str(after)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert row["contributor"] in told
    assert "alone it accuses nobody" in told
    # run out, not yet in force, of no weight: nothing
    for more in (
        {"valid_until": "2026-11-25T00:00:00Z"}, {"valid_from": "2026-11-27T00:00:00Z"},
        {"weight": 0.1},
    ):  # fmt: skip
        idle = look(world, tmp_path / "idle", indicators=written(
            tmp_path / "idle.jsonl", line("system_prompt", rare, **more)))  # fmt: skip
        assert standings(idle) == old, more


def test_tokens_and_what_is_not_in_force_are_left_out(tmp_path):
    value = "0123456789abcdef"
    file = written(
        tmp_path / "x.jsonl", line("near_text", value),
        line("token_phone", "ab" * 32, epoch="2026-11"),
        line("near_text", value, valid_until="2026-11-26T00:00:00Z"),
    )  # fmt: skip
    assert len(read_indicators(file, now=NOW)) == 1
    assert len(read_indicators(file, now=None)) == 2
    assert read_indicators(file, now=NOW + timedelta(days=99)) == ()


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "near_text"}',
                                  json.dumps(line("near_text", "secret-value"))])  # fmt: skip
def test_another_file_is_refused_by_line_and_without_its_values(tmp_path, text):
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(SchemaError, match=r"x\.jsonl:1") as caught:
        read_indicators(tmp_path / "x.jsonl", now=NOW)
    assert "secret" not in str(caught.value)
    with pytest.raises(InputError):
        read_indicators(tmp_path / "absent.jsonl", now=NOW)
