"""`stillwatch prove lineage`: rank teacher families; say whether any is close enough to name."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli.prove_options import Candidates, Model, Out
from stillwatch.cli.terminal import Page

__all__ = ["lineage"]

_FEW_PROMPTS = 400  # on 251 and fewer, 14 of 38 published students or less are known


def lineage(
    suspect: Annotated[
        Path, typer.Option(metavar="FILE", help="The suspect's answers (responses.parquet).")
    ],
    references: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Answers of candidates and controls, with models.csv."),
    ],
    out: Out,
    model: Model = None,
    candidate: Candidates = None,
    base: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The suspect's base model among the references."),
    ] = None,
    alpha: Annotated[float, typer.Option(metavar="A", help="Level of the tests.")] = 0.05,
    words: Annotated[
        int | None, typer.Option(metavar="N", help="Cut all answers to N words.")
    ] = None,
    without_refusals: Annotated[
        bool, typer.Option("--without-refusals", help="Leave refusals out.")
    ] = False,
    confounders: Annotated[
        bool,
        typer.Option(
            "--confounders",
            help="Also say what comes out with length (in the ranking alone), refusals and the "
            "prompts' origin controlled (three times the work).",
        ),
    ] = False,
) -> None:
    """Rank teacher families and say whether any is close enough to name."""
    from stillwatch.prove import inquire_lineage

    found = inquire_lineage(
        suspect,
        references,
        out,
        model=model,
        named=candidate or (),
        base=base,
        alpha=alpha,
        words=words,
        without_refusals=without_refusals,
        confounders=confounders,
    )
    page = Page()
    _say_left_out(page, found)
    _say_verdict(page, found)
    _say_what_it_rests_on(page, found)
    _say_ranking(page, found)
    _say_tests(page, found)
    _say_power(page, found["power"])
    _say_dependence(page, found["dependence"])
    _say_confounders(page, found)


def _say_verdict(page: Page, found: Any) -> None:
    nearest = max(found["ranking"], key=lambda row: row["excess"])["family"]
    page.sentence(
        f"Open-set verdict: {_verdict(found)} (excess {found['open_score']:.2f} nats for "
        f"{nearest}, accepted above {found['accept_at']:.2f}; rank p {found['open_p']:.3f}, "
        f"smallest possible {found['smallest_p']:.3f} with {found['n_controls']} controls of "
        f"{found['control_groups']} groups)."
    )


def _say_ranking(page: Page, found: Any) -> None:
    page.table(
        ["family", ">score", ">excess", ">95 % from", ">to", ">first in resamples"],
        [
            [
                row["family"],
                f"{row['score']:.2f}",
                f"{row['excess']:.2f}",
                f"{row['excess_interval']['low']:.2f}",
                f"{row['excess_interval']['high']:.2f}",
                f"{row['first_in_resamples']:.0%}",
            ]
            for row in found["ranking"][:5]
        ],
    )


def _say_tests(page: Page, found: Any) -> None:
    for test in found["tests"]:
        page.point(
            f"{test['family']}: p {test['p_value']:.3f}, Holm {test['p_adjusted']:.3f}. "
            f"Null: {found['null']}."
        )
    if found["tests"]:
        _say_resolution(page, found)
    else:
        page.sentence("A screening: no family was named beforehand, so the rank is no test.")


def _say_left_out(page: Page, found: Any) -> None:
    left, used = found["prompts_left_out"], found["prompts"]
    if left:
        page.sentence(
            f"Read on {used:,} prompts: {left:,} more that the suspect has answered count for "
            "nothing, since not every candidate and control has."
        )
    absent = found["references_without_answers"]
    if absent:
        page.sentence(
            f"Of models.csv {len(absent)} candidates or controls have no answers in the folder "
            f"under that name and are not compared: {', '.join(absent[:5])}"
            + (", and others." if len(absent) > 5 else ".")
        )


def _say_what_it_rests_on(page: Page, found: Any) -> None:
    if found["n_controls"] > found["control_groups"]:
        page.sentence(
            f"That rank holds only if controls are independent of each other: these "
            f"{found['n_controls']} are of {found['control_groups']} groups, and models of one "
            "group are not."
        )
    if found["prompts"] < _FEW_PROMPTS:
        page.sentence(
            f"On {found['prompts']:,} prompts few students are known: of 38 published ones 0 to 14 "
            "on 200 prompts, 13 on 251, 4 to 26 on 400, 22 on 802. Ask eight hundred."
        )
    if found["settings"]["words"] is not None:
        page.sentence("Endings are not cut: the verdict is the same by construction.")


def _verdict(found: Any) -> str:
    """Return the open-set verdict in words; one family is named only where it is that one."""
    from stillwatch.prove import LEAST_GROUPS, LEAST_PROMPTS, LEAST_TO_NAME

    if found["nameable"]:
        return f"close enough to name {found['nameable']}"
    if not found["accepted"]:
        return "none of these, which is no acquittal"
    first = found["ranking"][0]
    if found["n_controls"] < LEAST_TO_NAME:
        return (
            f"above every control, but of {found['n_controls']} controls a stranger lies above "
            f"all in one case of {found['n_controls'] + 1}: {LEAST_TO_NAME} are needed to name "
            "a family"
        )
    if found["control_groups"] < LEAST_GROUPS:
        return (
            f"above every control, but these are of {found['control_groups']} groups, and models "
            f"of one group count as one stranger: {LEAST_GROUPS} groups are needed to name a family"
        )
    if found["prompts"] < LEAST_PROMPTS:
        return (
            f"above every control, but on {found['prompts']} prompts too many strangers are: "
            f"{LEAST_PROMPTS} are needed to name a family"
        )
    why = (
        f"is first in {first['first_in_resamples']:.0%} of resamples of the prompts"
        if first["excess"] > found["accept_at"]
        else "is first in the ranking and does not lie above every control itself"
    )
    return (
        f"above every control, but no family is close enough to be named: {first['family']} {why}"
    )


def _say_resolution(page: Page, found: Any) -> None:
    named, alpha = len(found["tests"]), found["alpha"]
    if named * found["smallest_p"] > alpha * (1 + 1e-9):
        page.sentence(
            f"{found['n_controls']} controls cannot carry a level of {alpha:g} for {named} named: "
            f"{math.ceil(named / alpha - 1e-9) - 1} could. Whatever the answers, nothing is "
            "shown at that level."
        )


def _say_power(page: Page, power: list[Any]) -> None:
    if not power:
        page.sentence("Power: not evaluable; no candidate family has two snapshots.")
        return
    told = ", ".join(
        f"{row['power']:.0%} at a share of {row['taught_share']:.0%}"
        for row in power
        if row["taught_share"] in (0.1, 0.3, 0.5, 1.0)
    )
    page.sentence(
        "Power, at most: a control that gave a share of its answers as another snapshot of a "
        f"candidate would is above every other control in {told}. Students by training imitate "
        "less well."
    )


def _say_confounders(page: Page, found: Any) -> None:
    if "confounders" not in found:
        return
    rows = [["as given", *_under(found | {"first": found["ranking"][0]["family"]})]]
    rows += [
        [row["setting"], *_under(row)]
        if "prompts" in row
        else [row["setting"], "", "", f"not evaluable: {row['not_evaluable']}", "", ""]
        for row in found["confounders"]
    ]
    page.table(["controlled", ">prompts", "first", "verdict", ">excess", ">accepted above"], rows)


def _under(row: Any) -> list[str]:
    verdict = f"close to {row['nameable']}" if row["nameable"] else "none of these"
    if row["accepted"] and not row["nameable"]:
        verdict = "above every control, none named"
    return [
        f"{row['prompts']:,}",
        row["first"],
        verdict,
        f"{row['open_score']:.2f}",
        f"{row['accept_at']:.2f}",
    ]


def _say_dependence(page: Page, dependence: Any) -> None:
    if dependence is None:
        page.sentence(
            "Dependence: not evaluable; the closest family has no second snapshot that is closer "
            "to it than the base, or the controls where none is given."
        )
        return
    low, high = dependence["interval"]["low"], dependence["interval"]["high"]
    page.sentence(
        f"Consistent with a dependence of {dependence['share']:.0%} ({low:.0%} to {high:.0%}) on "
        f"{dependence['teacher']}: 0 is {dependence['origin']}, 100 % is {dependence['anchor']}. "
        + _beside_controls(dependence["share"], list(dependence["of_controls"].values()))
    )


def _beside_controls(share: float, controls: list[float]) -> str:
    if not controls:
        return "No control could be read in the same way."
    above = "above all of them" if share > max(controls) else "no more than some of them"
    return (
        f"{len(controls)} models that are nobody's students come out at {min(controls):.0%} to "
        f"{max(controls):.0%}: this is {above}."
    )
