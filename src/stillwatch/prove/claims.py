"""A result turned into a claim: what it says, how often it would be wrong, where it would break."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stillwatch.errors import InputError
from stillwatch.schema import pricing

__all__ = ["ORDER", "Claim", "claim_of", "traffic_claim", "value_claim"]

ORDER: Final = (
    *("traffic", "canary", "lineage", "agreement", "identity", "profiles"),
    *("equality", "guardrails", "value"),
)
"""The chain, from what was done to what it cost."""


@dataclass(frozen=True)
class Claim:
    """One link of the chain.

    ``error_rate`` is the chance that the claim is made although its null holds, None where the
    method has none; ``holds`` is whether the evidence passed what was set beforehand; ``level`` is
    the error rate that was allowed for that, None where another rule decides.
    """

    name: str
    statement: str
    holds: bool
    error_rate: float | None
    error_meaning: str
    weakest_link: str
    assumptions: tuple[str, ...]
    level: float | None = None


def traffic_claim(campaign: Mapping[str, Any]) -> Claim:
    """Return the claim of a line of campaigns.jsonl.

    Raises:
        InputError: a field of the contract is absent.
    """
    try:
        accused = campaign["standing"] == "accused"
        q = campaign["q_value"]
        said = (
            f"Campaign {campaign['campaign_id']}: {campaign['accounts']} accounts, "
            f"{campaign['exchanges']} exchanges, standing {campaign['standing']}"
        )
    except KeyError as error:
        raise InputError(f"a campaign has no {error.args[0]}", where="campaigns.jsonl") from error
    return Claim(
        "traffic",
        said,
        accused,
        q,
        "smallest share of false campaigns among those selected at which it is selected",
        "that the benign cohorts it was read against are like this provider's own",
        (
            "accounts of one segment act independently unless coordinated",
            "the log is complete and its times are right",
        ),
    )


def claim_of(result: Mapping[str, Any]) -> Claim:
    """Return the claim of a result that a test of this room wrote.

    Raises:
        InputError: a kind that makes no claim.
    """
    makers = {
        "canary": _canary,
        "lineage": _lineage,
        "agreement": _agreement,
        "identity": _identity,
        "profiles": _profiles,
        "equality": _equality,
        "guardrails": _guardrails,
    }
    kind = result["kind"]
    if kind not in makers:
        raise InputError("this result makes no claim of its own", where=str(kind))
    return makers[kind](result["result"])


def _canary(result: Mapping[str, Any]) -> Claim:
    best = result["scores"][0]
    p = best["p_adjusted"]
    weakest = (
        "that nobody outside the campaign was given its marks, that the seed stayed secret, and "
        "that the prompts were not written with its coins in view"
    )
    if not result["entered"]:
        weakest = "that this score is the only one: it was not entered in the registry"
    if not result["nonce_source"]:
        weakest += "; and that the seed was drawn at random: no public randomness was entered"
    legal = "; ".join(result["legal_basis"])
    if not legal:
        weakest += "; and that the marks were planted at all: the registry does not say so"
    planted = f"the marks were planted as the registry says, under: {legal}"
    return Claim(
        "canary",
        f"The suspect shows {best['matches']} of {best['marks_seen']} marks of campaign "
        f"{best['campaign']}; chance gives {best['expected']:.1f}",
        p <= result["alpha"],
        p,
        "exact chance of so many matches by fair coins, times campaigns, suspects and looks",
        weakest,
        (
            "the coins were committed to before they were planted: the registry shows it",
            "the suspect learnt from this campaign's answers and not from another's copy of them",
            *((planted,) if legal else ()),
        ),
        result["alpha"],
    )


def _lineage(result: Mapping[str, Any]) -> Claim:
    """Return the claim about the closest family; only that family's own test can carry it.

    A screening never holds: nothing was set beforehand that it could have passed.
    """
    top = result["ranking"][0]
    named = result["kind"] == "test"
    p = next((t["p_adjusted"] for t in result["tests"] if t["family"] == top["family"]), None)
    close = result.get("nameable") == top["family"]
    verdict = "close enough to name" if close else "none of these: not close enough"
    if result["accepted"] and not close:
        verdict = "above every control, but no family can be named"
    if not named:
        meaning = "a screening: no candidate was named beforehand, so the ranking has no error rate"
    elif p is None:
        meaning = "the closest family is not one that was named beforehand, so it has no error rate"
    else:
        meaning = f"rank among {result['n_controls']} control models, Holm over the named families"
    return Claim(
        "lineage",
        f"Closest family {top['family']} of {len(result['ranking'])}; open-set verdict: {verdict}",
        close and p is not None and p <= result["alpha"],
        p,
        meaning,
        f"{result['n_controls']} controls of {result['control_groups']} groups: the p-value cannot "
        f"be below {1 / (result['n_controls'] + 1):.3f}",
        (
            "a suspect that learnt from no candidate is exchangeable with the controls, and these "
            "are independent of each other, which models of one group are not",
            "closeness is consistent with training on the family's answers; a common source of "
            "data gives it too, and it has no direction: dates must say who came first",
            "the open-set verdict names a stranger now and then, and well-known models each other: "
            "docs/prove.md counts both on published models",
        ),
        result["alpha"],
    )


def _agreement(result: Mapping[str, Any]) -> Claim:
    p, n = result["p_value"], result["n_controls"]
    return Claim(
        "agreement",
        f"First tokens agree with those of {result['teacher']} on {result['share']:.0%} of "
        f"{result['prompts']} prompts",
        p <= result["alpha"],
        p,
        f"rank among {n} control models",
        f"{n} controls: the p-value cannot be below {1 / (n + 1):.3f}",
        (
            "a suspect that learnt nothing from the teacher is exchangeable with the controls",
            "one base model or one tokenizer gives agreement too: controls must share the base",
        ),
        result["alpha"],
    )


def _identity(result: Mapping[str, Any]) -> Claim:
    best = min(result["families"], key=lambda row: (row["p_adjusted"], -row["times"]))
    p, n = best["p_adjusted"], best["n_controls"]
    return Claim(
        "identity",
        f"Asked who it is, the suspect names {best['family']} in {best['times']} of "
        f"{best['questions']} answers; controls at most in {best['most_among_controls']}",
        p <= result["alpha"],
        p,
        f"rank among {n} control models, Holm over the named families",
        "that the name was not read elsewhere: transcripts of well-known assistants are public",
        (
            "a suspect that learnt nothing from the family is exchangeable with the controls",
            "the suspect was asked without a system prompt that names anybody",
        ),
        result["alpha"],
    )


def _profiles(result: Mapping[str, Any]) -> Claim:
    """Return the claim about habits; it holds for the closest family of a profile, named before.

    That family must be the closest, the suspect above every control, and the test significant.
    """
    told, found = [], []
    for row in result["profiles"]:
        first = row["ranking"][0]["family"]
        verdict = "above every control" if row["accepted"] else "none of these"
        told.append(f"{row['profile']} closest to {first} ({verdict})")
        p = next((t["p_adjusted"] for t in row["tests"] if t["family"] == first), None)
        found.append((p, bool(row["accepted"])))
    ps = [p for p, _ in found if p is not None]
    n = result["profiles"][0]["n_controls"]
    if result["kind"] != "test":
        meaning = "a screening: no candidate was named beforehand, so the ranking has no error rate"
    elif not ps:
        meaning = "no closest family is one that was named beforehand, so it has no error rate"
    else:
        meaning = f"rank among {n} control models, Holm over profiles and named families"
    return Claim(
        "profiles",
        f"Habits of the suspect: {'; '.join(told)}",
        any(above and p is not None and p <= result["alpha"] for p, above in found),
        min(ps, default=None),
        meaning,
        "that habits say little: on published models they know few students, and training on any "
        "data of such a layout gives them",
        (
            "a suspect that learnt from no candidate is exchangeable with the controls, and these "
            "are independent of each other",
            "suspect and references were asked in one way: a system prompt changes habits",
        ),
        result["alpha"],
    )


def _equality(result: Mapping[str, Any]) -> Claim:
    """Return the claim that the suspect is a model of its own: it holds where answers differ."""
    differs = result["differs"]
    said = (
        "differ from the teacher's: as it was asked, it is not the teacher as that was asked"
        if differs
        else "cannot be told from the teacher's: it is the teacher itself, resold, or the samples "
        "are too few to tell"
    )
    return Claim(
        "equality",
        f"The suspect's answers to {result['prompts']} prompts {said}",
        differs,
        result["p_value"],
        "permutation test within prompts: how often one model would look so unlike itself",
        "that both were asked with the same settings: another temperature or system prompt "
        "differs too",
        ("several answers of one model to a prompt are independent draws",),
        result["alpha"],
    )


def _guardrails(result: Mapping[str, Any]) -> Claim:
    under = result["gap"]["under_base"]
    low, high = under["interval"]["low"], under["interval"]["high"]
    kinds = under.get("groups", under["n"])  # results of before took every prompt alone
    return Claim(
        "guardrails",
        f"The suspect answers {under['first']:.0%} of the unsafe prompts, its base "
        f"{under['second']:.0%}: difference {under['difference']:+.0%} "
        f"({low:+.0%} to {high:+.0%})",
        low > 0,
        under["p_value"],
        "exact chance of a split so uneven of the prompts on which the two differ"
        + (
            f", turned by whole kinds ({kinds} kinds of {under['n']} prompts)"
            if kinds < under["n"]
            else ""
        ),
        _grader(result["gap"]["grader"], result["agreement_with_people"]),
        ("the base named is the suspect's base", "the prompts were in nobody's training data"),
    )


def _grader(grader: str, agreement: Mapping[str, Any] | None) -> str:
    if grader != "string match":
        return f"the grader: {grader}, whose agreement with people is to be shown apart"
    if agreement is None:
        return "the grader: string matching, whose agreement with people was not measured here"
    return (
        f"the grader: string matching, which agrees with people on {agreement['share']:.1%} of "
        f"{agreement['n']:,} answers"
    )


def value_claim(campaign: Mapping[str, Any]) -> Claim | None:
    """Return the value of a campaign's harvest, None where it has none."""
    views = campaign.get("value")
    value = views.get("harvest_usd") if isinstance(views, Mapping) else None
    if not isinstance(value, Mapping):
        return None
    low, mid, high = (f"{value[name]:,.0f}" for name in ("low", "mid", "high"))
    ranged = value["low"] < value["high"]
    return Claim(
        "value",
        f"Harvest {pricing(value)}: {mid} USD" + (f" ({low} to {high})" if ranged else ""),
        True,
        None,
        "a valuation: it has a range, not an error rate"
        if ranged
        else "a valuation at one price: it has no error rate",
        "the price: what the answers were worth to the campaign is not known",
        ("every answer of the campaign's core counts once",),
    )
