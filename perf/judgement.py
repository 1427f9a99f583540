"""CPU seconds of judgement at size: 500 cases with 200,000 members, a queue of 10,000 cases, a
register of 100,000 entities.

    make bench-judgement        # writes bench/results/judgement.json

CPU time of this process, not the clock's: it does not depend on who else uses the machine. The
register is random: up to three holdings an entity, a quarter of them intervals, circles included;
random circles are the hard case of the product method's sparse solve.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import machine

from stillwatch.cases import (
    Lines,
    Order,
    add_note,
    approve,
    assign,
    decide,
    in_force,
    open_book,
    open_cases,
    read_terms,
    verify_book,
)
from stillwatch.policy.owners import (
    UNIT,
    Interest,
    Party,
    Register,
    answer_all,
    example_rules,
    read_rules,
)
from stillwatch.store import open_run

NOW = datetime(2026, 11, 26, tzinfo=UTC)
SEED = 1


def campaign(name: str, first: int, size: int) -> dict[str, Any]:
    members = [
        {"account_id": f"acct_{n:08d}", "role": "core", "standing": "accused",
         "reasons": ["behaves as the campaign does"]}
        for n in range(first, first + size)
    ]  # fmt: skip
    return {"campaign_id": name, "standing": "accused", "claims": {}, "members": members}


def measure_cases(folder: Path) -> dict[str, float]:
    """Return CPU seconds by step; the largest of 500 campaigns has 100,000 accounts."""
    run = folder / "run"
    run.mkdir()
    small = [campaign(f"c-{n}", 1_000_000 + 1_000 * n, 200) for n in range(499)]
    lines = [json.dumps(c) for c in (*small, campaign("c-large", 0, 100_000))]
    (run / "campaigns.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (run / "summary.json").write_text("{}", encoding="utf-8")
    book, terms, seconds = open_book(folder / "cases.db"), read_terms(), {}

    def timed(name: str, step: Callable[[], Any]) -> Any:
        began = time.process_time()
        result = step()
        seconds[name] = round(time.process_time() - began, 2)
        return result

    def bring() -> Any:
        return open_cases(book, open_run(run), now=NOW, standings=("accused",))

    seen = timed("open_500_cases_s", bring)
    timed("open_the_same_again_s", bring)
    (large,) = (s.case_id for s in seen if s.campaign_id == "c-large")
    order = Order(large, None, "deny", "relay", "Ada")
    made = timed("decide_on_100k_accounts_s", lambda: decide(book, order, terms=terms, now=NOW))
    timed("approve_s", lambda: approve(book, made.id, by="Bo", terms=terms, now=NOW))
    timed("in_force_100k_accounts_s", lambda: in_force(book, terms=terms, now=NOW))
    timed("verify_s", lambda: verify_book(book))
    seconds["database_mb"] = round((folder / "cases.db").stat().st_size / 1e6, 1)
    return seconds


def measure_queue(folder: Path, cases: int) -> dict[str, float]:
    """Return CPU milliseconds of the queue: read whole, and again after an entry of each kind.

    Of each twenty cases one has a decision; after an entry the median of eleven.
    """
    run = folder / "run-queue"
    run.mkdir()
    held = (json.dumps(campaign(f"q-{n}", 10 * n, 10)) for n in range(cases))
    (run / "campaigns.jsonl").write_text("\n".join(held) + "\n", encoding="utf-8")
    (run / "summary.json").write_text("{}", encoding="utf-8")
    book, terms = open_book(folder / "queue.db"), read_terms()
    names = [s.case_id for s in open_cases(book, open_run(run), now=NOW, standings=("accused",))]
    for case_id in names[::20]:
        decide(book, Order(case_id, None, "throttle", "relay", "Ada"), terms=terms, now=NOW)
    lines, told = Lines(book), {}

    def timed(name: str, step: Callable[[], Any] = lambda: None, times: int = 11) -> None:
        spans = []
        for _ in range(times):
            step()
            began = time.process_time()
            lines.at(NOW)
            spans.append(1000 * (time.process_time() - began))
        told[name] = round(statistics.median(spans), 1)

    order = Order(names[1], None, "watch", "relay", "Ada")
    timed("whole_ms", times=1)
    timed("nothing_new_ms")
    timed("after_a_note_ms",
          lambda: add_note(book, names[7], text="x", by="Ada", now=NOW))  # fmt: skip
    timed("after_a_decision_ms", lambda: decide(book, order, terms=terms, now=NOW), times=1)
    timed("after_an_assignment_ms",
          lambda: assign(book, names[9], to="Bo", by="Ada", now=NOW))  # fmt: skip
    return {"cases": cases, **told}


def register(entities: int) -> Register:
    draw = random.Random(SEED)
    parties = {f"e{n}": Party(f"e{n}", "entity") for n in range(entities)}
    parties |= {f"p{n}": Party(f"p{n}", "person") for n in range(entities // 2)}
    interests = []
    for n in range(entities):
        free = UNIT
        for k in range(draw.randint(0, 3)):
            low = draw.randint(0, free)
            high = min(UNIT, low + draw.choice([0, 0, 0, UNIT // 4]))
            free -= low
            owner = draw.choice(
                [f"e{draw.randrange(entities)}", f"p{draw.randrange(entities // 2)}"]
            )
            interests.append(Interest(owner, f"e{n}", "shareholding", low, high, (f"s{n}-{k}",)))
    return Register(parties, tuple(interests), ())


def measure_ownership(entities: int) -> dict[str, Any]:
    """Return CPU seconds and answers by method; 200 persons are listed."""
    known = register(entities)
    (rule,) = read_rules(example_rules()["ofac_50_percent"])
    seeds = frozenset(f"p{n}" for n in range(200))
    told: dict[str, Any] = {"entities": entities, "holdings": len(known.interests)}
    for method in ("cascade", "product"):
        asked = replace(rule, method=method, seeds=seeds, remainder="clear")
        began = time.process_time()
        found = answer_all(known, [asked], [f"e{n}" for n in range(entities)], date(2026, 11, 26))
        told[f"{method}_s"] = round(time.process_time() - began, 2)
        counts = Counter(answers[0].access for answers in found.by_entity.values())
        told[f"{method}_answers"] = dict(sorted(counts.items()))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    where = machine.describe()
    with tempfile.TemporaryDirectory() as folder:
        cases = measure_cases(Path(folder))
        queue = measure_queue(Path(folder), 10_000)
    result = {
        "commit": machine.commit(),
        "machine": where,
        "seed": SEED,
        "cases": cases,
        "queue": queue,
        "ownership": measure_ownership(100_000),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
