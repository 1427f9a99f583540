"""Text that attacks its reader, from the log to everything a person opens or prints.

A world whose every account, organization, model, client and prompt carries markup, scripts,
bidirectional controls, terminal escapes and spreadsheet formulas, with prompts of 10 MB among
them, goes through the command line as LiteLLM's log; its campaigns must still be found.
"""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow.parquet as pq
import pytest

from stillwatch.cli.app import run
from stillwatch.simulate import simulate
from stillwatch.simulate.litellm import payload

pytestmark = pytest.mark.slow

MARK = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"
BIDI = "\u202e\u2066\u200b\ufeff"
TERMINAL = "\x1b]0;owned\x07\x1b[2J\x1b[31m"
FORMULA = "=cmd|' /C calc'!A0"
WORD = f"<svg/onload=alert(3)>{BIDI}{TERMINAL}the"
HUGE = 10_000_000
IDS = ("account_id", "org_id", "end_user_id", "key_id", "workspace_id")


class Outcome(NamedTuple):
    """A finished run: its folder, exit code and what was printed."""

    folder: Path
    code: int
    out: str
    err: str
    accounts: list[str]


def hostile(value: str) -> str:
    return f"{FORMULA}{value}{MARK}{BIDI}{TERMINAL}"


def attack(row: dict[str, Any]) -> dict[str, Any]:
    for name in IDS:
        row[name] = row[name] and hostile(row[name])
    row["model"] = f"{row['model']}{MARK}{BIDI}"
    row["user_agent"] = row["user_agent"] and f"{row['user_agent']} {MARK}{TERMINAL}"
    for message in row["messages"] or ():
        message["content"] = re.sub(r"\bthe\b", lambda _: WORD, message["content"])
    return row


def attack_table(path: Path, *, key: str = "account_id") -> None:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for name in {key, "org_id"} & row.keys():
            row[name] = row[name] if row[name] in ("", "*") else hostile(row[name])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("hostile")
    world = simulate("small", seed=7, out=folder)
    for table in (world.accounts_csv, world.permits_csv):
        attack_table(table)
    rows = [attack(row) for row in pq.read_table(world.out / "exchanges").to_pylist()]
    for row in rows[:: len(rows) // 3]:
        row["messages"] = [{"role": "user", "content": (MARK + BIDI) * (HUGE // 60)}]
    log = folder / "=1+1\u202e<b>.jsonl"
    log.write_bytes(b"\n".join(orjson.dumps(payload(row)) for row in rows) + b"\n{broken\n")
    out = folder / "run"
    words = ["scan", log, "--accounts", world.accounts_csv, "--permits", world.permits_csv]
    code, printed, err = captured([*map(str, words), "--out", str(out)])
    accounts = pq.read_table(out / "accounts.parquet")
    named = accounts["account_id"].to_pylist()
    standing = accounts["standing"].to_pylist()
    accused = [a for a, s in zip(named, standing, strict=True) if s == "accused"]
    return Outcome(out, code, printed, err, accused)


def captured(words: list[str]) -> tuple[int, str, str]:
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO

    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(words)
    return code, out.getvalue(), err.getvalue()


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    handle_startendtag = handle_starttag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def controls(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}


def test_campaigns_are_found_all_the_same(outcome: Outcome) -> None:
    assert outcome.code == 3
    assert outcome.accounts
    assert all(a.startswith(FORMULA) and a.endswith(TERMINAL) for a in outcome.accounts)


def test_the_report_holds_no_markup_of_theirs(outcome: Outcome) -> None:
    text = (outcome.folder / "report.html").read_text("utf-8")
    page = Page(text)
    assert not page.tags & {"script", "img", "iframe", "object", "embed", "form", "base"}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    links = [v for n, v in page.attributes if n in ("href", "src", "xlink:href", "action")]
    assert all(v and (v.startswith("#") or v == "data:,") for v in links)
    assert controls(text) <= {"\n"}
    assert len(text) < 1_500_000


def test_the_report_shows_what_was_hidden(outcome: Outcome) -> None:
    words = " ".join(Page((outcome.folder / "report.html").read_text("utf-8")).words)
    assert "⟨U+202E⟩" in words
    assert "⟨U+001B⟩" in words
    assert "<script>alert(1)</script>" in words


def test_the_prompt_words_are_shown_as_text(outcome: Outcome) -> None:
    words = " ".join(Page((outcome.folder / "report.html").read_text("utf-8")).words)
    assert "svg" in words
    assert "onload" in words


def test_the_terminal_gets_no_control_character(outcome: Outcome) -> None:
    assert outcome.out
    assert controls(outcome.out + outcome.err) <= {"\n"}


def test_explaining_an_account_is_as_harmless(outcome: Outcome) -> None:
    code, out, err = captured(["explain", outcome.accounts[0], "--run", str(outcome.folder)])
    assert code == 0
    assert "⟨U+202E⟩" in out
    assert controls(out + err) <= {"\n"}


def test_machine_readable_files_hold_it_escaped(outcome: Outcome) -> None:
    names = [p for p in outcome.folder.rglob("*") if p.suffix in (".json", ".jsonl")]
    assert len(names) >= 4
    for path in names:
        text = path.read_text("utf-8")
        lines = text.splitlines() if path.suffix == ".jsonl" else [text]
        assert all(json.loads(line) is not None for line in lines)
        assert not {c for c in text if unicodedata.category(c) == "Cc"} - {"\n"}


def test_what_was_refused_is_named_without_its_words(outcome: Outcome) -> None:
    (line,) = (outcome.folder / "rejected.jsonl").read_text("utf-8").splitlines()
    row = json.loads(line)
    assert set(row) == {"source", "line", "reason"}
    assert row["reason"] in ("malformed JSON", "JSON ends early")


def test_nothing_is_left_half_written(outcome: Outcome) -> None:
    assert not [p for p in outcome.folder.rglob("*") if p.name.endswith((".part", ".partial"))]


@pytest.mark.parametrize("command", [["scan"], ["ingest", "--check"]])
def test_errors_repeat_no_hostile_file_name(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"log{BIDI}\x1b[31m.jsonl"
    path.write_text('{"startTime": 1, "call_type": "x"}\n{nothing of this\n', "utf-8")
    told: Callable[[], Any] = capsys.readouterr
    code = run(
        [*command, str(path), *(["--out", str(tmp_path / "o")] if command[0] == "scan" else [])]
    )
    printed = told()
    assert code == 2
    assert controls(printed.out + printed.err) <= {"\n"}
    assert "nothing of this" not in printed.err
