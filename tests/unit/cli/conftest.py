"""A tiny run directory made by hand, for the commands that only read one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cli.app import run
from stillwatch.schema.arrow import ACCOUNT_RESULT, LINK, SIGNAL

START = datetime(2026, 11, 16, tzinfo=UTC)
HOSTILE = "acct-[red]\x1b[31m\u202egnp\u2066\x07"


class Told(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def stillwatch(capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    def call(*words: str | Path) -> Told:
        code = run([str(word) for word in words])
        printed = capsys.readouterr()
        return Told(code, printed.out, printed.err)

    return call


def member(account: str, standing: str, role: str = "core", **more: Any) -> dict[str, Any]:
    return {
        "account_id": account,
        "end_user_id": None,
        "role": role,
        "standing": standing,
        "confidence": 0.9995 if role == "core" else 0.2,
        "reasons": ["94 % of its requests carry the campaign's template"],
    } | more


def evidence(signal: str, text: str) -> dict[str, Any]:
    return {
        "signal": signal,
        "statistic": 3.0,
        "p_value": 1e-9,
        "e_value": 5200.0,
        "null": None,
        "n": 6750,
        "text": text,
    }


CAMPAIGN: dict[str, Any] = {
    "campaign_id": "c-0123456789ab",
    "standing": "accused",
    "found_by": ["frame"],
    "first_seen": "2026-11-16T03:00:00Z",
    "last_seen": "2026-11-20T17:00:00Z",
    "accounts": 4,
    "core": 3,
    "periphery": 1,
    "exchanges": 812,
    "output_tokens": 520_000,
    "methods": ["cot_exfiltration"],
    "claims": {
        "coordinated": {
            "confidence": 0.99,
            "e_value": 5200.0,
            "evidence": [evidence("round_robin", "Requests fell on the same account 3 times.")],
        },
        "extractive": {
            "confidence": 0.98,
            "e_value": 6000.0,
            "evidence": [evidence("coverage", "One template over 410 topics.")],
        },
        "actor": {"confidence": 0.1, "e_value": 1.0, "evidence": [], "claim": None},
    },
    "e_value": 5200.0,
    "q_value": 0.0008,
    "needed_e": 2400.0,
    "members": [
        member("acct-a", "accused"),
        member("acct-b", "accused"),
        member(HOSTILE, "accused"),
        member("acct-edge", "watch", "periphery"),
    ],
    "recommended": {"verdict": "throttle", "collateral": {"accounts": 1}},
    "rivals": [
        {
            "name": "class",
            "title": "A class of students",
            "predicts": "Nights are quiet",
            "seen": "No quiet nights",
            "survives": False,
        }
    ],
    "not_known": [
        {"question": "Who operates it?", "data": "Matchable payment fingerprints"},
        {"question": "Not tested: Equal volumes", "data": "Not enough data: fewer than eight."},
    ],
    "value": {"harvest_usd": {"low": 41e3, "mid": 42e3, "high": 44e3}},
}
SUMMARY: dict[str, Any] = {
    "versions": {"stillwatch": "0.1.0"},
    "rows_in": 1000,
    "rows_kept": 998,
    "rejected": 2,
    "accounts": 6,
    "since": "2026-11-16T00:00:00Z",
    "until": "2026-11-23T00:00:00Z",
    "look": 1,
    "alpha": 0.01,
    "calibrated_on_your_traffic": False,
    "cannot_accuse": False,
    "needed_e": 2400.0,
    "reference": {"name": "benign", "largest_e": 18_400.0},
    "cohorts_tested": 31,
    "cohorts_selected": 1,
    "signals": [
        {"name": "round_robin", "title": "Load balancing", "evaluable": True, "missing": []},
        {"name": "retry", "title": "Retried", "evaluable": False, "missing": ["http_status"]},
    ],
    "accused_accounts": 3,
    "watch_accounts": 1,
    "permitted_accounts": 0,
    "prevalence": {
        "output_tokens": {
            "detected": {"value": 0.021, "low": 0.02, "high": 0.022},
            "corrected": {"value": 0.024, "low": 0.018, "high": 0.03},
            "not_excluded": {"value": 0.04, "low": 0.03, "high": 0.042},
        }
    },
    "value_at_risk": {"harvest_list_price_usd": {"low": 41e3, "mid": 42e3, "high": 44e3}},
}


def account(name: str, standing: str, **more: Any) -> dict[str, Any]:
    inside = standing in ("accused", "watch")
    return {
        "account_id": name,
        "org_id": "org-1",
        "segment": "api",
        "exchanges": 203,
        "standing": standing,
        "access": None,
        "campaign_id": CAMPAIGN["campaign_id"] if inside else None,
        "role": None,
        "p_value": None,
        "e_value": None,
        "q_value": 0.0008 if inside else None,
        "top_signals": [],
    } | more


def link(a: str, b: str, kind: str, llr: float) -> dict[str, Any]:
    return {"a": a, "b": b, "kind": kind, "llr": llr, "count": 3, "first_seen": START}


LINKS = [
    *(link("payment:00ff", name, "payment", 9.2) for name in ("acct-a", "acct-b", "acct-other")),
    *(link("frame:aa11", name, "frame", 6.1) for name in ("acct-a", "acct-b", HOSTILE)),
    link("acct-a", "acct-b", "succession", 7.7),
    link("client:77", "acct-clear", "client", 1.3),
    link("client:77", "acct-other", "client", 1.3),
]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Write one accused campaign of four accounts, a clear account and one with end users."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps(SUMMARY), encoding="utf-8")
    (folder / "campaigns.jsonl").write_text(json.dumps(CAMPAIGN) + "\n", encoding="utf-8")
    accounts = [account(m["account_id"], m["standing"]) for m in CAMPAIGN["members"]]
    accounts += [account("acct-clear", "clear", access="possible"), account("acct-other", "clear")]
    write(folder / "accounts.parquet", accounts, ACCOUNT_RESULT)
    write(folder / "links.parquet", LINKS, LINK)
    signals = [
        {
            "subject_kind": "account",
            "subject": "acct-clear",
            "window_start": START,
            "window_end": START,
            "signal": "round_robin",
            "statistic": 0.61,
            "p_value": 0.4,
            "null": "permuted",
            "n": 12,
        }
    ]
    write(folder / "signals.parquet", signals, SIGNAL)
    subjects = [
        account(f"acct-other · u-{i}", standing)
        for i, standing in enumerate(("clear", "clear", "watch"))
    ]
    write(folder / "subjects.parquet", subjects, ACCOUNT_RESULT)
    return folder


def write(file: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)


@pytest.fixture
def hostile() -> str:
    """Return the account whose name tries to write on the terminal."""
    return HOSTILE


@pytest.fixture
def change(run_dir: Path) -> Callable[..., None]:
    """Return what changes the summary of the run."""

    def change_summary(**values: Any) -> None:
        text = json.dumps(SUMMARY | values)
        (run_dir / "summary.json").write_text(text, encoding="utf-8")

    return change_summary
