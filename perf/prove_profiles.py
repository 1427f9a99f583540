"""Refusal and idiosyncrasy profiles on published models, beside closeness (a minute).

    python perf/prove_profiles.py --data DIR --out FILE

DIR holds answers and models.csv as for perf/prove_lineage.py, whose students, controls and way of
leaving one group out these are. Nothing is fitted: the rule is `prove.profiles`'s.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import machine
import numpy as np
from prove_lineage import counted, macro, share

from stillwatch.prove import PROFILES, Profiles, measure_habits, profile_excess, read_references


def judge(
    held: Profiles,
    profile: str,
    families: dict[str, str],
    groups: dict[str, str],
    students: list[str],
    rows: dict[str, dict[str, str]],
) -> dict[str, Any]:
    """Return ranks by family and the reject option, leave-one-group-out."""
    asked = [*sorted(groups), *students]
    names, _, above = profile_excess(held, profile, asked, families)
    of_model = dict(zip(asked, above[0], strict=True))
    tops = {m: float(values.max()) for m, values in of_model.items()}
    ranks: dict[str, list[int]] = {}
    for model in students:
        order = [names[k] for k in np.argsort(-of_model[model], kind="stable")]
        right = {families[t] for t in rows[model]["accepted_teachers"].split(";")}
        of_family = ranks.setdefault(rows[model]["teacher_family"], [])
        of_family.append(min(order.index(f) for f in right) + 1)
    accepted = [
        c for c, g in groups.items() if tops[c] > max(tops[d] for d, h in groups.items() if h != g)
    ]
    kept = [m for m in students if tops[m] > max(tops[c] for c in groups)]
    return {
        "prompts": len(held.prompts),
        "rule": macro(ranks),
        "students_kept": share(len(kept), len(students)),
        "none_accepted_leave_one_group_out": share(len(accepted), len(groups)),
        "none_accepted": sorted(accepted),
        "area": round(float(np.mean([[tops[m] > tops[c] for c in groups] for m in students])), 3),
    }


def only(held: Profiles, kept: np.ndarray) -> Profiles:
    prompts = tuple(p for p, k in zip(held.prompts, kept, strict=True) if k)
    return Profiles(held.models, prompts, held.kinds, held.kind[kept], held.values[kept])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    with (given.data / "models.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    refs = {r.answers.model: r for r in read_references(given.data)}
    families = {m: r.family for m, r in refs.items() if r.role == "teacher"}
    groups = {m: r.group for m, r in refs.items() if r.role == "control"}
    students = [
        m
        for m, r in refs.items()
        if r.role == "student" and rows[m]["accepted_teachers"] and rows[m]["confidence"] != "low"
    ]
    shared = set.intersection(*(set(refs[m].answers.output) for m in families))
    everyone = [refs[m].answers for m in (*families, *groups, *students)]
    held = measure_habits(everyone, sorted(shared, key=int))
    half = np.arange(len(held.prompts)) % 2 == 0
    parts = {"all prompts": held, "one half": only(held, half), "other half": only(held, ~half)}
    result = {
        "commit": machine.commit(),
        "machine": machine.describe(),
        "candidates": len(families),
        "control_groups": len(set(groups.values())),
        "profiles": {
            profile: {
                n: judge(h, profile, families, groups, students, rows) for n, h in parts.items()
            }
            for profile in PROFILES
        },
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for profile, found in result["profiles"].items():
        for name, part in found.items():
            rule = part["rule"]
            print(
                f"| {profile}, {name} | {rule['macro_first']:.0%} | {rule['macro_top3']:.0%} | "
                + " | ".join(counted(part))
                + f" | {part['area']:.2f} |"
            )


if __name__ == "__main__":
    main()
