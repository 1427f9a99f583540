"""`stillwatch prove`: tests of a suspect model, each from saved answers to a result file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli.prove_canary import canary
from stillwatch.cli.prove_collect import collect
from stillwatch.cli.prove_inspect import from_inspect
from stillwatch.cli.prove_likeness import agreement, equality, identity
from stillwatch.cli.prove_lineage import lineage
from stillwatch.cli.prove_profiles import profiles
from stillwatch.cli.terminal import Page

__all__ = ["prove"]

prove = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Test whether a model was trained on another one's answers.",
)
prove.command()(collect)
prove.command()(from_inspect)
prove.command()(lineage)
prove.add_typer(canary, name="canary")
for _test in (agreement, identity, profiles, equality):
    prove.command()(_test)

_OUT = typer.Option(metavar="FILE", help="Result to write (JSON).")
_Suites = Annotated[
    list[Path] | None,
    typer.Option(
        "--suite",
        metavar="FILE",
        help="Prompts as XSTest, HarmBench, StrongREJECT or AdvBench publish them; may be given "
        "again, to be read as one. Default: the 60 that ship.",
    ),
]


@prove.command()
def guardrails(
    teacher: Annotated[Path, typer.Option(metavar="FILE", help="The teacher's answers.")],
    base: Annotated[
        Path, typer.Option(metavar="FILE", help="Answers of the suspect's base model: mandatory.")
    ],
    suspect: Annotated[Path, typer.Option(metavar="FILE", help="The suspect's answers.")],
    out: Annotated[Path, _OUT],
    suite: _Suites = None,
    labelled: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Answers labelled by people, to check string matching."),
    ] = None,
    verdicts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A grading model's answers to what `prove prompts --grade` wrote; string matching "
            "without it.",
        ),
    ] = None,
) -> None:
    """Compare what teacher, base and suspect refuse and answer."""
    from stillwatch.prove import inquire_guardrails

    found = inquire_guardrails(
        teacher, base, suspect, out, suites=suite or (), labelled=labelled, verdicts=verdicts
    )
    page = Page()
    rows = []
    for name, key in (
        ("safe prompts refused, against base", "over_base"),
        ("safe prompts refused, against teacher", "over_teacher"),
        ("unsafe prompts answered, against base", "under_base"),
        ("unsafe prompts answered, against teacher", "under_teacher"),
    ):
        part = found["gap"][key]
        if part is None:
            rows.append([name, "", "", "not evaluable: the suite has no safe prompt", ""])
            continue
        low, high = part["interval"]["low"], part["interval"]["high"]
        rows.append(
            [
                name,
                f"{part['first']:.1%}",
                f"{part['second']:.1%}",
                f"{part['difference']:+.1%} ({low:+.1%} to {high:+.1%})",
                f"{part['p_value']:.2g}",
            ]
        )
    page.table(["", ">suspect", ">other", ">difference (95 %)", ">p"], rows)
    agreement = found["agreement_with_people"]
    if verdicts is not None:
        page.sentence(
            "The grader is a model: measure its agreement with people before you rely on it."
        )
        return
    page.sentence(
        "The grader is string matching; its agreement with people was not measured here: give "
        "--labelled."
        if agreement is None
        else f"The grader is string matching: it agrees with people on {agreement['share']:.1%} of "
        f"{agreement['n']:,} answers (kappa {agreement['kappa']:.2f})."
    )


@prove.command()
def prompts(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Prompt file to write (JSON lines).")],
    suite: _Suites = None,
    who: Annotated[
        bool, typer.Option("--identity", help="The questions of `identity` instead.")
    ] = False,
    graded: Annotated[
        list[Path] | None,
        typer.Option(
            "--grade",
            metavar="FILE",
            help="Instead: ask a grading model whether each answer in FILE refuses; may be given "
            "again.",
        ),
    ] = None,
) -> None:
    """Write a guardrail suite, or the questions who one is, as a prompt file."""
    from stillwatch.prove import (
        grading_prompts,
        identity_questions,
        read_responses,
        read_suites,
        write_prompts,
    )

    items = read_suites(suite or ())
    asked = identity_questions() if who else {item.prompt_id: item.prompt for item in items}
    if graded:
        arms = [held for path in graded for held in read_responses(path).values()]
        asked = grading_prompts(arms, asked)
    write_prompts(out, asked)
    Page().sentence(f"{len(asked)} prompts in {out}.")


@prove.command()
def report(
    suspect: Annotated[str, typer.Option(metavar="NAME", help="Name of the suspect model.")],
    key: Annotated[Path, typer.Option(metavar="FILE", help="Private key to sign with.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Case file to write.")],
    result: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A result of a test; may be given again, once a kind."),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Run directory of the scan.")
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(metavar="ID", help="The campaign in it that is charged.")
    ] = None,
    title: Annotated[str, typer.Option(metavar="TEXT", help="Title of the case.")] = "Case",
) -> None:
    """Join results into a signed case file."""
    from stillwatch.prove import build_case, seal_case
    from stillwatch.schema import CAMPAIGNS
    from stillwatch.seal import read_private_key

    case = build_case(
        title=title,
        suspect=suspect,
        results=result or (),
        now=datetime.now(UTC),
        campaigns=None if run is None else run / CAMPAIGNS,
        campaign_id=campaign,
    )
    out.write_bytes(seal_case(case, [read_private_key(key)]))
    _show(case)


@prove.command()
def verify(
    case: Annotated[Path, typer.Argument(metavar="FILE", help="A case file.")],
    key: Annotated[Path, typer.Option(metavar="FILE", help="Public key that is trusted.")],
    beside: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder with the files behind the claims.")
    ] = None,
) -> None:
    """Check a case file's signature, chain and sources, offline."""
    from stillwatch.errors import EvidenceError
    from stillwatch.prove import read_bytes, verify_case
    from stillwatch.seal import read_public_key

    checked = verify_case(read_bytes(case), [read_public_key(key)], beside)
    _show(checked.case)
    page = Page()
    absent = f": {', '.join(checked.absent)}" if checked.absent else ""
    page.sentence(
        f"Signature and chain of {checked.claims} claims hold. Sources: {len(checked.matching)} "
        f"agree, {len(checked.absent)} not laid beside it{absent}."
    )
    if checked.differing:
        raise EvidenceError(f"changed since: {', '.join(checked.differing)}", where=str(case))


def _show(case: Any) -> None:
    page = Page()
    page.heading(f"{case['title']}: {case['suspect']}")
    page.sentence(f"Written {case['at']} by stillwatch {case['stillwatch']}. {case['reading']}")
    for link in case["chain"]:
        claim = link["value"]["claim"]
        rate = "none" if claim["error_rate"] is None else f"{claim['error_rate']:.3g}"
        holds = "holds" if claim["holds"] else "does not hold"
        level = claim.get("level")  # cases of before do not say it
        at = "" if level is None else f" at level {level:g}"
        page.point(
            f"{claim['name']} ({holds}{at}): {claim['statement']}. Error rate {rate}: "
            f"{claim['error_meaning']}. Weakest: {claim['weakest_link']}. Assumed: "
            f"{'; '.join(claim['assumptions'])}."
        )
    page.sentence(f"Weakest link: {case['weakest']}.")
    if case["missing"]:
        page.sentence(f"Missing claims: {', '.join(case['missing'])}.")
    page.heading("Elements of a model extraction attack (H.R. 8283)")
    if said := case.get("elements_of"):
        page.sentence(f"By {said}.")
    for element in case["elements"]:
        carried = ", ".join(element["carried_by"])
        page.point(
            f"{element['element']}: "
            + (f"carried by {carried}" if carried else f"missing: {element['missing']}")
        )
