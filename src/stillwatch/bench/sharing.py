"""What sharing is worth: each provider sees a slice too thin to accuse, alone and with the others.

In each world three campaigns are divided among the providers, each provider with the same few
accounts of each. Every provider scans its own log
at the default alpha (*alone*); the first N of them then are members of an exchange, vote and ask
(`share propose`) through a real hub and witness, and scan again with what was corroborated
(*together*). Under *poisoning* two more members vote for every template of every provider.

Nothing is chosen by labels: the same alpha, the same detector; the truth counts at the end only.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow.parquet as pq

from stillwatch.bench.exchange import (
    Exchange,
    divide,
    found,
    now_utc,
    open_exchange,
    private_values,
)
from stillwatch.bench.ledger import commit_here
from stillwatch.bench.records import once, read_records
from stillwatch.bench.truth import Who, read_truth
from stillwatch.scanner import candidate_frames, corroborated_lines, scan
from stillwatch.simulate import WORLDS, Size, World, simulate
from stillwatch.stats import clopper_pearson

__all__ = ["SUITES", "Suite", "results", "run_sharing"]

FIRST_SEED: Final = 910_000
LIARS: Final = 2
PASSAGE: Final = 24


class Suite(NamedTuple):
    """What a suite plays.

    ``people``: times those of the demo world. ``slices``: accounts of each campaign at each
    provider, one number for all, or which for each; none: a world without campaigns. ``sizes``: how
    many providers join, exchange by exchange. ``requests``: of an account of a campaign, on
    average. ``liars``: whether the largest exchange is played once more with two members who vote
    for everything. ``first``: the first world's seed.
    """

    worlds: int
    people: float
    providers: int
    slices: tuple[int | tuple[tuple[int, ...], ...], ...]
    sizes: tuple[int, ...]
    requests: int = 42
    liars: bool = True
    first: int = FIRST_SEED


SUITES: Final[dict[str, Suite]] = {
    "smoke": Suite(1, 0.5, 3, (8, 6), (3,)),
    "collective": Suite(3, 22.0, 4, (8,), (4,), first=911_000),
    "control": Suite(3, 3.0, 4, (), (4,)),
    "standard": Suite(4, 3.0, 4, (4, 6, 8), (2, 3, 4)),
    "full": Suite(40, 4.0, 4, (4, 6, 8), (2, 3, 4)),
}


def run_sharing(
    suite: str, out: Path, *, first: int = 0, step: int = 1, tell: Any = lambda _: None
) -> None:
    """Play the worlds of a suite; one JSON file each, and what is there is not made again."""
    start = SUITES[suite].first
    for seed in range(start + first, start + SUITES[suite].worlds, step):
        once(
            out / f"{suite}-{seed}.json",
            lambda seed=seed: play(seed, out / f"work-{seed}", SUITES[suite], tell),  # type: ignore[misc]
        )


def world_of(suite: Suite) -> World:
    """Return the world of a suite: honest people, and its campaigns if it has any."""
    honest = WORLDS["demo"].without_campaigns().scale(suite.people, requests=0.42, name="sharing")
    if not suite.slices:
        return honest
    largest = max(
        size if isinstance(size, int) else 1 + max(map(max, size)) for size in suite.slices
    )
    accounts = largest * suite.providers
    return replace(honest, load_balanced=Size(len(suite.slices), accounts, suite.requests))


def play(seed: int, work: Path, suite: Suite, tell: Any) -> dict[str, Any]:
    """Play one world and return its record."""
    began, providers, slices = time.monotonic(), suite.providers, suite.slices
    shutil.rmtree(work, ignore_errors=True)
    made = simulate(world_of(suite), seed=seed, out=work / "world")
    truth = read_truth(made.truth_parquet)
    divide(made, truth, work, providers, slices)
    alone = _all(work, {k: ("alone", None) for k in range(providers)}, truth)
    tell(f"world {seed}: {sum(s['caught'] for s in alone.values())} accused alone")
    frames = {k: candidate_frames(work / f"provider{k}" / "alone") for k in range(providers)}
    every = sorted({name for _, asked in frames.values() for name in asked})
    together: dict[str, Any] = {}
    exchanges = [(n, False) for n in suite.sizes] + [(providers, True)] * suite.liars
    for size, lies in exchanges:
        name = f"{size} members" + (f", {LIARS} liars" if lies else "")
        folder = work / name.replace(" ", "-").replace(",", "")
        with open_exchange(folder) as exchange:
            told = _ask(exchange, frames, range(size), every if lies else ())
            together[name] = _again(work, name, told, alone, truth)
            wire = _searched(exchange, work, range(size), truth)
        together[name]["wire"] = wire
        tell(f"world {seed}, {name}: {sum(together[name][str(k)]['caught'] for k in told)} accused")
    record = {
        "commit": commit_here(), "seed": seed, "accounts": made.accounts,
        "exchanges": made.exchanges, "providers": providers,
        "slices": dict(zip(_campaigns(truth), slices, strict=True)),
        "alone": {str(k): v for k, v in alone.items()}, "together": together,
        "templates": {str(k): [len(s), len(a)] for k, (s, a) in frames.items()},
        "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip
    shutil.rmtree(work)
    return record


def _campaigns(truth: Mapping[str, Who]) -> list[str]:
    return sorted({w.campaign for w in truth.values() if w.core and w.campaign})


def _scan(
    work: Path, provider: int, name: str, truth: Mapping[str, Who], listed: Path | None = None
) -> dict[str, Any]:
    """Scan a provider's log, and count what was accused by what it is."""
    mine = work / f"provider{provider}"
    run = mine / name
    result = scan(
        [mine / "exchanges"], accounts=mine / "accounts.csv", out=run, threads=1,
        corroborated=listed,
    )  # fmt: skip
    table = pq.read_table(run / "accounts.parquet", columns=["account_id", "standing"])
    rows = list(zip(*(table[c].to_pylist() for c in table.column_names), strict=True))
    accused = {account for account, standing in rows if standing == "accused"}
    caught = Counter(str(truth[a].campaign) for a in accused if truth[a].core)
    summary = result.summary
    return {
        "accounts": len(rows), "tested": summary["cohorts_tested"],
        "needed_e": summary["needed_e"], "caught": sum(caught.values()),
        "campaigns": dict(sorted(caught.items())),
        "false": sum(truth[a].honest for a in accused),
        "honest": sum(truth[a].honest for a, _ in rows),
        "core": sum(truth[a].core for a, _ in rows),
    }  # fmt: skip


def _ask(
    exchange: Exchange, frames: Mapping[int, tuple[list[str], list[str]]], members: range,
    lies: Sequence[str],
) -> dict[int, list[str]]:  # fmt: skip
    """Let every member vote, liars for everything, and then ask."""
    now = now_utc()
    for k in range(LIARS if lies else 0):
        exchange.propose(f"liar{k}", lies, (), now=now)
    for k in members:
        exchange.propose(f"member{k}", frames[k][0], (), now=now)
    return {k: exchange.propose(f"member{k}", (), frames[k][1], now=now) for k in members}


def _again(
    work: Path, name: str, told: Mapping[int, Sequence[str]], alone: Mapping[int, Any],
    truth: Mapping[str, Who],
) -> dict[str, Any]:  # fmt: skip
    """Scan again with the corroborated templates; without any nothing is different."""
    asked: dict[int, tuple[str, Path | None]] = {}
    for k, listed in told.items():
        if listed:
            file = work / f"provider{k}" / f"{name}.jsonl"
            file.write_bytes(corroborated_lines(listed))
            asked[k] = (name, file)
    made = _all(work, asked, truth)
    return {str(k): {**made.get(k, alone[k]), "corroborated": len(told[k])} for k in told}


def _all(
    work: Path, asked: Mapping[int, tuple[str, Path | None]], truth: Mapping[str, Who]
) -> dict[int, dict[str, Any]]:
    """Scan several providers' logs, two at a time, each in a process of its own."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        jobs = {
            k: pool.submit(_scan, work, k, name, truth, listed)
            for k, (name, listed) in asked.items()
        }
        return {k: job.result() for k, job in jobs.items()}


def _searched(
    exchange: Exchange, work: Path, members: range, truth: Mapping[str, Who]
) -> dict[str, Any]:
    """Search what went over the wire for every identifier, and for passages of campaign texts."""
    wire = b"\n".join(one.bytes() for one in exchange.wires.values())
    text = wire.decode("utf-8", errors="replace")
    windows = {text[i : i + PASSAGE] for i in range(len(text) - PASSAGE + 1)}
    values: set[str] = set()
    passages = texts = 0
    core = {account for account, who in truth.items() if who.core}
    for k in members:
        mine = work / f"provider{k}"
        more, said = private_values(mine / "exchanges", mine / "accounts.csv", core)
        values |= more
        texts += len(said)
        for one in said:
            passages += any(one[i : i + PASSAGE] in windows for i in range(len(one) - PASSAGE + 1))
    return {
        "bytes": len(wire), "identifiers": len(values),
        "identifiers_found": len(found(values, wire)), "texts": texts,
        "texts_with_passages_found": passages, "events": exchange.events("hub"),
    }  # fmt: skip


def results(out: Path) -> dict[str, Any]:
    """Return what all worlds together say: by exchange, with exact intervals."""
    records = [r for r in read_records(out) if "together" in r]
    names = list(records[0]["together"]) if records else []
    return {
        "worlds": len(records), "seeds": [r["seed"] for r in records],
        "commits": sorted({r["commit"] for r in records}),
        "accounts": sum(r["accounts"] for r in records),
        "by_exchange": {name: _compared(records, name) for name in names},
    }  # fmt: skip


def _compared(records: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return the members of one exchange, alone and together."""
    pairs = [
        (r["alone"][k], now, len(r["slices"]))
        for r in records
        for k, now in r["together"][name].items()
        if k != "wire"
    ]
    whole = [_all_or_none(r, name) for r in records]
    wires = [r["together"][name]["wire"] for r in records]
    return {
        "slices": sum(slices for _, _, slices in pairs),
        "by_accounts_a_slice": _by_size(records, name),
        "alone": _rates([a for a, _, _ in pairs]),
        "together": _rates([t for _, t, _ in pairs]),
        "campaigns": sum(n for n, _ in whole),
        "nobody_alone_all_together": sum(n for _, n in whole),
        "wire_bytes": sum(w["bytes"] for w in wires),
        "identifiers_searched": sum(w["identifiers"] for w in wires),
        "identifiers_found": sum(w["identifiers_found"] for w in wires),
        "texts_searched": sum(w["texts"] for w in wires),
        "texts_found": sum(w["texts_with_passages_found"] for w in wires),
    }


def _all_or_none(record: Mapping[str, Any], name: str) -> tuple[int, int]:
    """Return how many campaigns there are, and how many nobody saw alone and all did together."""
    members = [k for k in record["together"][name] if k != "wire"]
    hits = sum(
        all(c not in record["alone"][k]["campaigns"] for k in members)
        and all(c in record["together"][name][k]["campaigns"] for k in members)
        for c in record["slices"]
    )
    return len(record["slices"]), hits


def _by_size(
    records: Sequence[Mapping[str, Any]], name: str
) -> dict[str, dict[str, int]]:  # fmt: skip
    """Return by accounts a slice: slices, and those with an accused account, alone and together."""
    counts: dict[str, dict[str, int]] = {}
    for record in records:
        for campaign, size in record["slices"].items():
            for k, now in record["together"][name].items():
                if k != "wire":
                    mine = size if isinstance(size, int) else len(size[int(k)])
                    row = counts.setdefault(str(mine), {"slices": 0, "alone": 0, "together": 0})
                    row["slices"] += 1
                    row["alone"] += campaign in record["alone"][k]["campaigns"]
                    row["together"] += campaign in now["campaigns"]
    return counts


def _rates(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    caught, core = sum(r["caught"] for r in rows), sum(r["core"] for r in rows)
    false, honest = sum(r["false"] for r in rows), sum(r["honest"] for r in rows)
    return {
        "slices_accused": sum(len(r["campaigns"]) for r in rows),
        "accounts_accused": caught, "accounts": core,
        "recall": round(caught / core, 4) if core else None,
        "false_accusations": false, "honest_accounts": honest,
        "false_rate_high": round(clopper_pearson(false, honest).high, 7) if honest else None,
        "providers_with_a_false_accusation": sum(r["false"] > 0 for r in rows),
        "providers": len(rows),
        "tested": sum(r["tested"] for r in rows),
    }  # fmt: skip
