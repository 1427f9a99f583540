"""`stillwatch share`: from a run directory to a package that two persons signed, off-line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cli.app import run
from stillwatch.cli.campaign_rows import accused_rows, read_tokens
from stillwatch.errors import ConfigError, InputError
from stillwatch.schema import EXIT_CLEAR, EXIT_USAGE

OWN, COMMON, RARE = "9f3c51d7a2e8604b", "07d1f5b8c3926ae4", "5b8e02c7f1a94d36"
TODAY = datetime.now(UTC).date()  # the command asks the clock
BASIS = f"""
[[legal_basis]]
name = "n"
source = "s"
since = {TODAY - timedelta(days=9)}
until = {TODAY + timedelta(days=300)}
reviewed_by = "c"
purposes = ["detection", "correction"]
"""


@pytest.fixture
def folder(tmp_path):
    """A run with one accused campaign of four accounts, and one on watch."""
    claim = {"confidence": 0.99, "evidence": [{"signal": "round_robin", "p_value": 1e-9}]}
    members = [{"account_id": f"acct-{k}", "role": "core"} for k in range(4)]
    lines = [
        {"campaign_id": f"c-{n}f8e27b6a5d4", "standing": standing, "accounts": 4, "exchanges": 900,
         "first_seen": "2026-11-16T03:12:07Z", "last_seen": "2026-11-20T17:45:00Z", "methods": [],
         "members": members, "rivals": [], "claims": {"coordinated": claim, "extractive": claim}}
        for n, standing in ((9, "accused"), (8, "watch"))
    ]  # fmt: skip
    out = tmp_path / "run"
    out.mkdir()
    (out / "summary.json").write_text("{}")
    (out / "campaigns.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    rows = [("system_prompt", OWN, f"acct-{k}") for k in range(4)]
    rows += [("tool_schema", COMMON, f"acct-{k}") for k in range(20)]
    rows += [("near_text", RARE, f"acct-{k}") for k in range(2)]
    rows += [("payment", "00112233445566aa", f"acct-{k}") for k in range(4)]
    pq.write_table(
        pa.table({"a": [f"{kind}:{value}" for kind, value, _ in rows], "b": [b for *_, b in rows],
                  "kind": [kind for kind, *_ in rows]}),
        out / "links.parquet",
    )  # fmt: skip
    return out


def test_only_fingerprints_of_texts_that_the_campaign_alone_carries_are_taken(folder):
    ((line, rows),) = accused_rows(folder, "")
    assert line["campaign_id"] == "c-9f8e27b6a5d4"
    assert rows == [{"kind": "system_prompt", "value": OWN}], "no common, rare or payment value"
    assert "acct" not in json.dumps([line, rows])
    with pytest.raises(ConfigError, match="no such accused"):
        list(accused_rows(folder, "c-8f8e27b6a5d4"))


def test_tokens_are_read_by_campaign_and_a_wrong_line_is_named(tmp_path):
    file = tmp_path / "tokens.jsonl"
    row = {"campaign_id": "c-9f8e27b6a5d4", "kind": "phone", "value": "ab", "epoch": "2026-11"}
    file.write_text(json.dumps(row) + "\n")
    assert read_tokens(file) == {
        "c-9f8e27b6a5d4": [{"kind": "phone", "value": "ab", "epoch": "2026-11"}]
    }
    assert read_tokens(None) == {}
    file.write_text(json.dumps(row) + "\nnonsense\n")
    with pytest.raises(InputError, match="jsonl:2"):
        read_tokens(file)


def test_two_persons_sign_off_line(folder, tmp_path, capsys):
    home = ["--home", str(tmp_path / "share")]
    keys = tmp_path / "share" / "keys"
    assert run(["share", "start", *home]) == EXIT_CLEAR
    assert run(["share", "start", *home]) == EXIT_USAGE, "never overwritten"
    assert run(["share", "start", "--contributor", "me", "--home", str(tmp_path)]) == EXIT_USAGE
    for name in ("alice", "bob"):
        assert run(["share", "keys", name, *home]) == EXIT_CLEAR
    printed = capsys.readouterr().out
    assert run(["share", "prepare", str(folder), *home]) == EXIT_USAGE, "no legal basis"
    assert "legal-basis" in capsys.readouterr().err
    with (tmp_path / "share" / "share.toml").open("a") as file:
        file.write(printed[printed.index("[people.alice]") :] + BASIS)
    assert run(["share", "prepare", str(folder), *home]) == EXIT_CLEAR
    name = capsys.readouterr().out.split(":")[0]
    assert run(["share", "show", name, *home]) == EXIT_CLEAR
    shown = capsys.readouterr().out
    assert OWN in shown
    assert "acct" not in shown
    alice, bob = (["--as", who, "--key", str(keys / who), *home] for who in ("alice", "bob"))
    assert run(["share", "review", name, *alice]) == EXIT_CLEAR
    assert run(["share", "release", name, *alice, "--offline"]) == EXIT_USAGE, "the same person"
    assert run(["share", "release", name, *bob, "--offline"]) == EXIT_CLEAR
    assert "signed by 2" in capsys.readouterr().out
    assert run(["share", "send", name, *home]) == EXIT_USAGE, "no hub is named"
    assert "no hub: url and collection of [hub]" in capsys.readouterr().err
    out = tmp_path / "export.jsonl"
    assert run(["share", "audit", "--out", str(out), *home]) == EXIT_CLEAR
    told = [json.loads(line)["event"]["what"] for line in out.read_text().splitlines()]
    assert told == ["prepared", "reviewed", "released"]
    assert run(["share", "list", *home]) == EXIT_CLEAR
    assert "0 of" in capsys.readouterr().out
