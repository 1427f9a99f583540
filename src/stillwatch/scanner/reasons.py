"""Why a campaign has its standing, in one sentence, and why strong tests may count for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from stillwatch.campaigns import Campaign, Choice, Judgement
from stillwatch.signals import ALONE, BESIDE, TESTS, WATCHED
from stillwatch.signals import KINDS as ACTS

__all__ = ["KINDS", "explain_standings"]

_STRONG_E: Final = 20.0
# As `signals.claims` adds them up, by test; what only watches, and topics, are in none of those.
KINDS: Final = {
    **{name: kind for kind, names in ACTS.items() for name in names},
    **dict.fromkeys(WATCHED, "served by one"),
    **dict.fromkeys(BESIDE, "volumes"),
    "crossed_cards": "set up alike",
    "ban_waves": "new accounts after bans",
    "one_fleet": "set up alike",
    "one_source": "topics",
}
_ONE_FACT: Final = frozenset(("rotating_exits", "shared_exits"))
_HONEST: Final = {
    "set up alike": "a vendor, a course, an offer or an agency sets accounts up alike",
    "served by one": "a service serves its customers in turn, from changing addresses, too",
    "hand-overs": "a customer's spare account takes over, too",
    "volumes": "branches are of one size",
    "new accounts after bans": "a reseller that is closed again and again comes back, too",
    "topics": "one vendor's customers ask about one subject, too",
}


def explain_standings(
    lines: list[dict[str, Any]], judgement: Judgement, choice: Choice, drift: Mapping[str, Any],
    least: int,
) -> None:  # fmt: skip
    """Add to each campaign's line why it stands as it does, and what its tests count for.

    ``standing_reason``: one sentence. ``note`` of the claim *coordinated*: why its tests do not
    count, where they are strong and the claim is not. ``counts_for`` of a test: accusation, or
    watch alone. ``least``: how many accounts have to be proven.
    """
    holders = {account for use in judgement.permit_uses for account in use.accounts}
    for line, campaign in zip(lines, judgement.campaigns, strict=True):
        claim = line["claims"]["coordinated"]
        for item in claim["evidence"]:
            item["counts_for"] = "watch" if item["signal"] in WATCHED | BESIDE else "accusation"
        strong = [x for x in claim["evidence"] if (x["e_value"] or 0.0) >= _STRONG_E]
        if strong and claim["e_value"] < _STRONG_E:
            claim["note"] = _too_few_kinds(strong)
        line["standing_reason"] = _reason(line, campaign, choice, drift, holders, least)


def _reason(
    line: dict[str, Any], campaign: Campaign, choice: Choice, drift: Mapping[str, Any],
    holders: set[str], least: int,
) -> str:  # fmt: skip
    if campaign.standing == "accused":
        return (
            "Both claims hold together, no honest explanation survives, and enough accounts are "
            "proven by their own behaviour."
        )
    if campaign.standing == "permitted":
        return "Nobody is accused: those who would be hold a permit."
    if drift["alarm"]:
        return "The traffic has drifted from the reference, so nothing is accused."
    if campaign.cohort not in choice.selected:
        return _not_selected(line)
    left = [r["title"] for r in line["rivals"] if r["survives"] and r["name"] != "research"]
    if left:
        return f"An honest explanation survives: {'; '.join(left)}."
    proven = sum(m.proven for m in campaign.members.values())
    if proven < least:
        return (
            f"Only {proven} of its accounts {'is' if proven == 1 else 'are'} proven by their own "
            f"behaviour; an accusation needs {least}."
        )
    if any(m["account_id"] in holders for m in line["members"]):
        return "Those who would be accused hold a permit and went beyond it: settle it with them."
    return (
        "Some of its accounts belong to a stronger campaign, and what speaks for this one may be "
        "theirs alone."
    )


def _not_selected(line: dict[str, Any]) -> str:
    acted, asked = (line["claims"][name] for name in ("coordinated", "extractive"))
    if acted["e_value"] < _STRONG_E:
        return str(
            acted.get("note") or "Nothing that these accounts do shows that they act as one."
        )
    if asked["e_value"] <= acted["e_value"]:
        return (
            "They act as one, as a class, a team or a reseller's customers do, and what they ask "
            "for does not differ enough from what those ask for."
        )
    return "That they act as one is not shown strongly enough, among so many hypotheses."


def _too_few_kinds(strong: Iterable[dict[str, Any]]) -> str:
    counted = [x["signal"] for x in strong if x["signal"] not in WATCHED]
    if not counted:
        return (
            "Even dealing at random puts accounts on watch and accuses nobody: a service that "
            "spreads its customers' jobs and branches of one size show it, too."
        )
    kinds = {KINDS[name]: True for name in counted}
    if set(counted) <= _ONE_FACT and len(counted) > 1:
        return (
            "They share exits and rotate through them, which is one fact, and customers of one "
            "cloud do: an accusation needs another act beside."
        )
    if kinds.pop("new accounts after bans", None):  # counts beside what pays, and nothing else
        if kinds.keys() <= {"set up alike", "volumes", "topics"}:
            return _after_bans(paid="shared_account_values" in counted)
        counted.remove("ban_waves")
    if "one_fleet" in counted and kinds.keys() <= {"set up alike", "volumes", "topics"}:
        return (
            "Cards in turn, one day of sign-ups and the same exits around the clock may speak "
            "alone, but the weakest of them is not strong enough here."
        )
    if len(kinds) > 1:  # who serves them or sets them up makes both
        kinds.pop("volumes", None)
    titles = {test.name: test.title for test in TESTS}
    alone = [titles[name] for name in counted if name in ALONE]
    if alone and len(kinds.keys() - {"topics"}) == 1:
        which = "This act may" if len(alone) == 1 else "Each of these acts may"
        here = "is not" if len(alone) == 1 else "none is"
        return f"{which} speak alone, but {here} strong enough here: {'; '.join(alone)}."
    if "crossed_cards" in counted and kinds.keys() <= {"set up alike", "topics"}:
        return (
            "Cards pay across exits, and exits are shared across cards: agencies on one cloud may "
            "have it, and an accusation needs accounts created together beside, strongly enough."
        )
    if "topics" in kinds and "set up alike" in kinds and len(kinds) == 2:
        return (
            "They are set up alike and ask from one source, as one vendor's customers with one "
            "subject do: an accusation needs turns, hand-overs or organizations that share cards, "
            "strongly enough."
        )
    if len(kinds) > 1:
        return (
            f"Acts of several kinds speak ({', '.join(kinds)}), and beside the strongest kind none "
            "strongly enough: an accusation needs two."
        )
    (kind,) = kinds
    told = "; ".join(titles[name] for name in counted)
    return f"One kind of act alone accuses nobody ({told}): {_HONEST[kind]}."


def _after_bans(*, paid: bool) -> str:
    """Return what new accounts after waves of bans lack. ``paid``: whether shared cards speak."""
    if paid:
        return (
            "They come back after each of several waves of bans and share cards, numbers or "
            "addresses, which may speak together, but not strongly enough here."
        )
    return (
        f"They come back after each of several waves of bans, but "
        f"{_HONEST['new accounts after bans']}: an accusation needs cards, numbers or e-mail "
        "addresses that organizations share beside, strongly enough."
    )
