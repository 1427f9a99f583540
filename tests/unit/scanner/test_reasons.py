"""Why a campaign is only watched: the sentence fits what held it back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from stillwatch.scanner.reasons import KINDS, explain_standings
from stillwatch.signals import TESTS, e_of_acts

CALM = {"alarm": False}


def made(signal: str, e: float) -> dict[str, Any]:
    return {"signal": signal, "e_value": e, "p_value": 0.1, "text": ""}


def explain(
    evidence: list[dict[str, Any]], acted: float, asked: float, *, selected: bool = False,
    proven: int = 9, rivals: tuple[str, ...] = (), standing: str = "watch",
    drift: dict[str, Any] = CALM, holders: tuple[str, ...] = (),
) -> dict[str, Any]:  # fmt: skip
    line = {
        "claims": {
            "coordinated": {"e_value": acted, "evidence": evidence},
            "extractive": {"e_value": asked, "evidence": []},
        },
        "rivals": [{"name": n, "title": n.upper(), "survives": True} for n in rivals],
        "members": [{"account_id": "a"}],
    }
    members = {k: SimpleNamespace(proven=k < proven) for k in range(12)}
    campaign = SimpleNamespace(cohort=5, standing=standing, members=members)
    judgement = SimpleNamespace(
        campaigns=(campaign,), permit_uses=(SimpleNamespace(accounts=holders),)
    )
    choice = SimpleNamespace(selected={5} if selected else set())
    explain_standings([line], judgement, choice, drift, 4)  # type: ignore[arg-type]
    return line


def test_every_test_of_acting_together_has_a_kind() -> None:
    assert {t.name for t in TESTS if t.claim == "coordinated"} == set(KINDS)


def test_strong_acts_of_one_kind_say_why_they_do_not_count() -> None:
    line = explain([made("signup_burst", 1e30), made("shared_exits", 1e9)], 0.08, 25_000.0)
    claim = line["claims"]["coordinated"]
    assert claim["note"] == line["standing_reason"]
    assert claim["note"].startswith("One kind of act alone accuses nobody (Accounts created ")
    assert "a vendor, a course, an offer or an agency sets accounts up alike" in claim["note"]


def test_acts_of_two_kinds_are_not_called_one() -> None:
    line = explain([made("signup_burst", 1e30), made("round_robin", 30.0)], 15.0, 25_000.0)
    assert "Acts of several kinds speak (set up alike, served by one)" in line["standing_reason"]


def test_topics_beside_a_common_setting_say_what_is_missing() -> None:
    line = explain([made("signup_burst", 1e30), made("one_source", 2e4)], 0.1, 25_000.0)
    assert "one vendor's customers with one subject" in line["standing_reason"]
    assert "needs turns, hand-overs or organizations that share cards" in line["standing_reason"]
    pool = [made("shared_exits", 1e9), made("rotating_exits", 1e9)]
    assert "which is one fact" in explain(pool, 0.1, 25_000.0)["standing_reason"]
    one = explain([pool[1], made("round_robin", 1e9)], 0.1, 25_000.0)["standing_reason"]
    assert one.startswith("One kind of act alone accuses nobody")
    assert "a service serves its customers in turn" in one
    two = explain([*pool, made("signup_burst", 30.0)], 15.0, 25_000.0)["standing_reason"]
    assert "Acts of several kinds speak (set up alike, served by one)" in two
    size = explain([made("even_volumes", 1e9)], 0.1, 25_000.0)
    assert "branches are of one size" in size["standing_reason"]
    assert size["claims"]["coordinated"]["evidence"][0]["counts_for"] == "watch"


def test_cards_across_exits_need_the_day_of_sign_ups_beside() -> None:
    alike = [made("shared_account_values", 1e9), made("shared_exits", 1e9)]
    only = explain(alike, 0.1, 25_000.0)["standing_reason"]
    assert only.startswith("One kind of act alone accuses nobody")
    for others in (alike, [*alike, made("one_source", 2e4)]):
        line = explain([*others, made("crossed_cards", 30.0)], 10.0, 25_000.0)
        assert "agencies on one cloud may have it" in line["standing_reason"]
        counted = line["claims"]["coordinated"]["evidence"][-1]["counts_for"]
        assert counted == "accusation"
    handed = explain([made("handoff", 30.0), made("blob_replay", 30.0)], 10.0, 25_000.0)
    assert handed["standing_reason"].startswith(
        "Each of these acts may speak alone, but none is strong enough here: "
    )
    assert handed["standing_reason"].count("; ") == 1
    two = [*alike, made("crossed_cards", 30.0), made("round_robin", 30.0)]
    assert "Acts of several kinds" in explain(two, 10.0, 25_000.0)["standing_reason"]
    accused = explain(
        [*alike, made("crossed_cards", 1e9)], 3e8, 25_000.0, selected=True, standing="accused"
    )
    assert accused["standing_reason"].startswith("Both claims hold together, no honest explan")
    assert "note" not in accused["claims"]["coordinated"]


def after_bans(e: float = 1e9, **others: float) -> str:
    """Return what is said of a strong `ban_waves`, with the successions that it is made of."""
    acts = {"ban_waves": e, "succession": e, "round_robin": 0.1, "handoff": 0.1} | others
    line = explain([made(*act) for act in acts.items()], e_of_acts(acts.items()), 25_000.0)
    return str(line["standing_reason"])


@pytest.mark.parametrize(
    "others", [{}, {"shared_account_values": 10.0}, {"shared_exits": 1e9, "signup_burst": 1e9},
               {"even_volumes": 1e9}, {"one_source": 1e3}],
)  # fmt: skip
def test_new_accounts_after_bans_need_shared_cards_beside(others: dict[str, float]) -> None:
    """They are none of the kinds of which two accuse; without shared cards nothing helps."""
    said = after_bans(**others)
    assert "several waves of bans, but a reseller that is closed again and again comes" in said
    assert "needs cards, numbers or e-mail addresses" in said


def test_new_accounts_after_bans_on_shared_cards_may_be_too_weak() -> None:
    said = after_bans(30.0, shared_account_values=25.0)
    assert said.endswith("which may speak together, but not strongly enough here.")
    crossed = {"shared_account_values": 40.0, "crossed_cards": 40.0, "signup_burst": 1.0}
    assert after_bans(30.0, **crossed) == said


def test_new_accounts_after_bans_are_none_of_two_kinds() -> None:
    said = after_bans(round_robin=25.0)
    assert "Acts of several kinds speak (set up alike, served by one)" in said
    line = explain([made("ban_waves", 1e9), made("round_robin", 1e9)], 0.1, 25_000.0)
    assert line["standing_reason"].startswith("One kind of act alone accuses nobody (")
    assert "bans" not in line["standing_reason"].lower()


def test_a_fleet_that_is_too_weak_is_told_as_that() -> None:
    alike = [made(name, 1e9) for name in ("signup_burst", "shared_account_values", "shared_exits")]
    line = explain([*alike, made("one_fleet", 30.0)], 6.0, 25_000.0)
    assert line["standing_reason"].startswith("Cards in turn, one day of sign-ups")
    assert explain(alike, 6.0, 25_000.0)["standing_reason"].startswith("One kind of act alone")


def test_even_dealing_counts_for_watching_alone() -> None:
    line = explain([made("dealt_evenly", 999.0), made("retry", 0.1)], 0.1, 900.0)
    counted = [x["counts_for"] for x in line["claims"]["coordinated"]["evidence"]]
    assert counted == ["watch", "accusation"]
    assert line["standing_reason"].startswith("Even dealing at random puts accounts on watch")


def test_a_claim_that_holds_has_no_note() -> None:
    line = explain([made("signup_burst", 1e30)], 1e12, 300.0)
    assert "note" not in line["claims"]["coordinated"]
    assert line["standing_reason"].startswith("They act as one, as a class")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"standing": "accused", "selected": True}, "no honest explanation survives"),
        ({"standing": "permitted", "selected": True}, "Nobody is accused: those"),
        ({"selected": True, "drift": {"alarm": True}}, "has drifted"),
        ({"selected": True, "rivals": ("class", "research")}, "explanation survives: CLASS."),
        ({"selected": True, "proven": 1}, "Only 1 of its accounts is proven"),
        ({"selected": True, "holders": ("a",)}, "hold a permit and went beyond it"),
        ({"selected": True}, "belong to a stronger campaign"),
        ({}, "That they act as one is not shown strongly enough"),
    ],
)
def test_each_standing_says_what_decided_it(given: dict[str, Any], said: str) -> None:
    assert said in explain([made("round_robin", 1e9)], 100.0, 9e3, **given)["standing_reason"]
