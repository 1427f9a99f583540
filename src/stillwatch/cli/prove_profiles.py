"""`stillwatch prove profiles`: whose habits of refusing and writing the suspect has."""

from __future__ import annotations

from typing import Any

from stillwatch.cli.prove_options import Alpha, Candidates, Model, Out, References, Suspect
from stillwatch.cli.terminal import Page

__all__ = ["profiles"]

_SHOWN = 8


def profiles(
    suspect: Suspect,
    references: References,
    out: Out,
    model: Model = None,
    candidate: Candidates = None,
    alpha: Alpha = 0.05,
) -> None:
    """Compare how the suspect refuses and writes with teachers and controls."""
    from stillwatch.prove import inquire_profiles

    found = inquire_profiles(
        suspect, references, out, model=model, named=candidate or (), alpha=alpha
    )
    page = Page()
    for row in found["profiles"]:
        _say(page, row, found)
    if not candidate:
        page.sentence("A screening: no family was named beforehand, so the rank is no test.")
    page.sentence(
        "Habits are weak evidence: on published models they know 7 or 8 of 38 students, and accept "
        "1 or 2 of 10 that have no teacher. Nobody is named by them."
    )


def _say(page: Page, row: Any, found: Any) -> None:
    page.heading(row["profile"].capitalize())
    first = row["ranking"][0]
    low, high = first["excess_interval"]["low"], first["excess_interval"]["high"]
    verdict = "above every control" if row["accepted"] else "none of these, which is no acquittal"
    page.sentence(
        f"Open-set verdict: {verdict} (excess {row['open_score']:.2f}, accepted above "
        f"{row['accept_at']:.2f}; rank p {row['open_p']:.3f}, smallest possible "
        f"{found['smallest_p']:.3f} with {row['n_controls']} controls of {row['control_groups']} "
        f"groups). Closest: {first['family']} ({low:.2f} to {high:.2f}, first in "
        f"{first['first_in_resamples']:.0%} of resamples of {found['prompts']:,} prompts)."
    )
    for test in row["tests"]:
        page.point(
            f"{test['family']}: p {test['p_value']:.3f}, Holm over profiles and families "
            f"{test['p_adjusted']:.3f}. Null: {found['null']}."
        )
    refusing = row["profile"] == "refusals"
    rates = [r for r in row["rates"] if (r["habit"] == "refuses" if refusing else r["kind"] == "")]
    if not refusing:
        rates = sorted(rates, key=_beyond, reverse=True)[:_SHOWN]
    page.table(
        ["kind of prompt" if refusing else "habit", ">suspect", ">closest family", ">controls"],
        [
            [
                (r["kind"] or "all prompts") if refusing else r["habit"],
                f"{r['suspect']:.3f}",
                f"{r['closest_family']:.3f}",
                f"{r['controls_low']:.3f} to {r['controls_high']:.3f}",
            ]
            for r in rates
        ],
    )


def _beyond(rate: Any) -> float:
    """Return how far the suspect's habit lies from the middle of the controls', in their range."""
    middle = (rate["controls_low"] + rate["controls_high"]) / 2
    wide = max(rate["controls_high"] - rate["controls_low"], 0.01)
    return float(abs(rate["suspect"] - middle) / wide)
