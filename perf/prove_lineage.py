"""Lineage of published models: measure (resumable, by part), then print the table.

    python perf/prove_lineage.py measure --data DIR --work DIR --part 0 --parts 2 [--words 60]
    python perf/prove_lineage.py report --data DIR --work DIR --out FILE

DIR of ``--data`` holds answers and models.csv (``read_references``), with the columns
accepted_teachers and confidence. Nothing is fitted to it: the rule is `prove.lineage`'s.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import machine
import numpy as np

from stillwatch.prove import (
    Answers,
    Closeness,
    Reference,
    excess,
    family_scores,
    measure_closeness,
    read_references,
)
from stillwatch.prove.shingles import CHANNELS, refuses
from stillwatch.stats import clopper_pearson

COMPARED = ("teacher", "control", "student")
FLOORS = {"macro_first": 0.60, "macro_top3": 0.85, "kept": 0.70, "none_accepted": 0.10}


def measure(data: Path, work: Path, part: int, parts: int, words: int | None) -> None:
    refs = read_references(data)
    kept = set(sorted(refs[0].answers.output, key=int)[part::parts])

    def cut(a: Answers) -> Answers:
        return Answers(a.model, {p: o for p, o in a.output.items() if p in kept}, a.prompt, a.suite)

    everyone = [cut(r.answers) for r in refs if r.role.startswith(COMPARED)]
    teachers = [cut(r.answers) for r in refs if r.role == "teacher"]
    close = measure_closeness(everyone, teachers, words=words)
    work.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        work / f"close-{words or 'all'}-{part}of{parts}.npz",
        models=close.models,
        candidates=close.candidates,
        prompts=close.prompts,
        **close.channel,
    )


def read_close(work: Path, words: str) -> Closeness | None:
    files = [np.load(p) for p in sorted(work.glob(f"close-{words}-*.npz"))]
    if not files:
        return None
    return Closeness(
        tuple(map(str, files[0]["models"])),
        tuple(map(str, files[0]["candidates"])),
        tuple(str(p) for f in files for p in f["prompts"]),
        {c: np.concatenate([f[c] for f in files]) for c in CHANNELS},
    )


def only(close: Closeness, kept: np.ndarray) -> Closeness:
    prompts = tuple(p for p, k in zip(close.prompts, kept, strict=True) if k)
    channel = {c: t[kept] for c, t in close.channel.items()}
    return Closeness(close.models, close.candidates, prompts, channel)


def share(k: int, n: int) -> dict[str, Any]:
    low, high, _ = clopper_pearson(k, n)
    return {"k": k, "n": n, "share": round(k / n, 4), "low": round(low, 4), "high": round(high, 4)}


def judge(
    close: Closeness, refs: list[Reference], rows: dict[str, dict[str, str]], students: list[str]
) -> dict[str, Any]:
    """Return ranks by family and the reject option, leave-one-group-out."""
    families = {r.answers.model: r.family for r in refs if r.role == "teacher"}
    controls = {r.answers.model: r.group for r in refs if r.role == "control"}
    ranks: dict[str, list[int]] = {}
    constant: dict[str, list[int]] = {}
    for model in students:
        names, score = family_scores(close, model, families, sorted(controls))
        right = {families[t] for t in rows[model]["accepted_teachers"].split(";")}
        order = [names[k] for k in np.argsort(-score, kind="stable")]
        family = rows[model]["teacher_family"]
        ranks.setdefault(family, []).append(min(order.index(f) for f in right) + 1)
        constant.setdefault(family, []).append(1 if "gpt35" in right else 99)
    tops = {m: float(excess(close, m, families)[1].max()) for m in [*controls, *students]}

    def limit(without: str | None) -> float:
        return max(tops[c] for c, g in controls.items() if g != without)

    accepted = [c for c, g in controls.items() if tops[c] > limit(g)]
    kept = [m for m in students if tops[m] > limit(None)]
    return {
        "prompts": len(close.prompts),
        "rule": macro(ranks),
        "always_gpt35": macro(constant),
        "students_kept": share(len(kept), len(students)),
        "none_accepted_leave_one_group_out": share(len(accepted), len(controls)),
        "none_accepted": sorted(accepted),
        "excess_of_none": {c: round(tops[c], 3) for c in sorted(controls)},
        "excess_of_students_quartiles": [
            round(float(q), 3) for q in np.quantile([tops[m] for m in students], [0.25, 0.5, 0.75])
        ],
    }


def macro(ranks: dict[str, list[int]]) -> dict[str, Any]:
    flat = [r for held in ranks.values() for r in held]
    return {
        "macro_first": round(
            float(np.mean([np.mean(np.array(v) == 1) for v in ranks.values()])), 3
        ),
        "macro_top3": round(float(np.mean([np.mean(np.array(v) <= 3) for v in ranks.values()])), 3),
        "first": share(sum(r == 1 for r in flat), len(flat)),
        "top3": share(sum(r <= 3 for r in flat), len(flat)),
        "ranks": {f: sorted(v) for f, v in sorted(ranks.items())},
    }


def report(data: Path, work: Path, out: Path) -> None:
    refs = read_references(data)
    with (data / "models.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    taught = [
        m
        for m, r in rows.items()
        if r["accepted_teachers"] and r["confidence"] != "low" and r["role"].startswith("student")
    ]
    students = [m for m in taught if rows[m]["role"] == "student"]
    close = read_close(work, "all")
    if close is None:
        raise SystemExit("measure first")
    by_name = {r.answers.model: r.answers for r in refs}
    suites = np.array([by_name[close.candidates[0]].suite[p] for p in close.prompts])
    result: dict[str, Any] = {
        "commit": machine.commit(),
        "machine": machine.describe(),
        "models": len(refs),
        "candidates": len(close.candidates),
        "floors": FLOORS,
        "students": judge(close, refs, rows, students),
        "with_preference_students": judge(close, refs, rows, taught),
        "confounders": {
            f"prompts of {s}": judge(only(close, suites == s), refs, rows, students)
            for s in sorted(set(suites))
        },
    }
    result["confounders"]["without refusals"] = judge(
        without_refusals(close, by_name), refs, rows, students
    )
    greedy = [m for m in students if not any(w in m for w in ("best-of", "pairrm"))]
    result["confounders"]["single samples only"] = judge(close, refs, rows, greedy)
    cut = read_close(work, "60")
    if cut is not None:
        result["confounders"]["all answers cut to 60 words"] = judge(cut, refs, rows, students)
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(result))


def without_refusals(close: Closeness, by_name: dict[str, Answers]) -> Closeness:
    def refused(models: Iterable[str]) -> np.ndarray:
        return np.array(
            [[refuses(by_name[m].output.get(p, "")) for m in models] for p in close.prompts]
        )

    kept = refused(close.candidates).mean(axis=1) < 1 / 3
    rows = refused(close.models)
    channel = {c: np.where(rows[:, :, None], np.nan, t) for c, t in close.channel.items()}
    return only(Closeness(close.models, close.candidates, close.prompts, channel), kept)


def counted(part: dict[str, Any]) -> list[str]:
    """Return the four counts of a part, each with its interval."""
    rule = part["rule"]
    return [
        f"{s['k']}/{s['n']} ({s['low']:.0%}–{s['high']:.0%})"
        for s in (
            rule["first"],
            rule["top3"],
            part["students_kept"],
            part["none_accepted_leave_one_group_out"],
        )
    ]


def table(result: dict[str, Any]) -> str:
    parts = {"students": result["students"], **result["confounders"]}
    parts["with preference students"] = result["with_preference_students"]
    lines = [
        "| | first, mean over families | top 3 | first, count | top 3 | kept | none accepted |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for name, part in parts.items():
        rule = part["rule"]
        counts = counted(part)
        lines.append(
            f"| {name} | {rule['macro_first']:.0%} | {rule['macro_top3']:.0%} | "
            + " | ".join(counts)
            + " |"
        )
    always = result["students"]["always_gpt35"]
    lines.append(
        f"| always gpt-3.5-turbo | {always['macro_first']:.0%} | | {always['first']['k']}/"
        f"{always['first']['n']} | | | |"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["measure", "report"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--words", type=int)
    given = parser.parse_args()
    if given.what == "measure":
        measure(given.data, given.work, given.part, given.parts, given.words)
    else:
        report(given.data, given.work, given.out)


if __name__ == "__main__":
    main()
