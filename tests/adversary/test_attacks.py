"""Attacks on the accusation itself, played by the simulator against the whole pipeline.

The worlds are small so that this stays short; the benchmark counts the same over many seeds of
the full world. A single honest account accused fails here.
"""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime

import pytest

from stillwatch.errors import InputError
from stillwatch.simulate import CAMPAIGN_FAMILIES, LANGUAGE_MIX

SEEDS = (7, 8)


@pytest.fixture(params=SEEDS)
def small(request, played):
    return played("small", request.param)


def share_accused(scanned, family):
    """Return the share of a campaign's accounts that are accused."""
    found = scanned.of(role="core", family=family)
    return sum(s == "accused" for s in found.values()) / max(len(found), 1)


def test_the_attacks_are_there_and_the_plain_campaign_is_found(small):
    """Without this, a pipeline that accuses nobody would pass all the rest."""
    assert small.run.exit_code == 3
    assert {"framing", "proxy_pool", "load_balanced", "relay", "stealth"} <= {
        t["family"] for t in small.truth.values()
    }
    assert max(share_accused(small, family) for family in CAMPAIGN_FAMILIES) >= 0.9


def test_framing_does_not_accuse_the_victim(small):
    """Copied word for word, from the victim's own address prefix: others can create all that."""
    victims = small.of(role="victim")
    assert victims
    assert "accused" not in victims.values()


def test_who_takes_turns_behind_a_victims_address_is_looked_at(small):
    """To a log it may be the victim's own server, so it accuses nobody."""
    assert {"watch", "accused"} & set(small.of(role="core", family="framing").values())


def test_honest_proxy_customers_are_collateral_and_not_accused(small):
    customers = small.of(family="proxy_customers")
    assert customers
    assert "accused" not in customers.values()
    for campaign in small.run.campaigns:
        members = {m["account_id"]: m for m in campaign["members"]}
        for account in customers.keys() & members.keys():
            assert members[account]["role"] == "periphery"


def test_no_honest_account_is_accused(small):
    assert small.honest_accused() == {}
    assert "accused" not in small.run.subjects["standing"].to_pylist()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_world_without_campaigns_accuses_nobody(played, seed):
    quiet = played("small-benign", seed)
    assert quiet.accused == set()
    assert quiet.run.exit_code == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_small_log_accuses_no_honest_account(played, seed):
    assert played("tiny", seed).honest_accused() == {}


ROTATED = tuple([*list(LANGUAGE_MIX)[1:], next(iter(LANGUAGE_MIX))])
REVERSED = tuple(reversed(LANGUAGE_MIX))


@pytest.mark.parametrize("languages", [ROTATED, REVERSED], ids=["rotated", "reversed"])
def test_swapping_languages_accuses_no_language(played, languages):
    """The largest share of traffic is another language's: the rows differ, the verdicts do not."""
    usual, swapped = played("small", 7), played("small", 7, languages=languages)
    honest = [t for t in swapped.truth.values() if t["role"] != "core"]
    assert {t["language"] for t in honest} == set(LANGUAGE_MIX)
    accused = swapped.accused
    for language in LANGUAGE_MIX:
        theirs = [t["account_id"] for t in honest if t["language"] == language]
        assert not accused.intersection(theirs), language

    for scanned in (usual, swapped):  # and somebody is found in either, so that this says something
        assert max(share_accused(scanned, family) for family in CAMPAIGN_FAMILIES) >= 0.9


def permit_for(accounts, path, limit):
    """Write one permit an account: any method, any model, ``limit`` output tokens a day."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["permit_id", "account_id", "max_output_tokens_per_day", "reference"])
        for k, account in enumerate(sorted(accounts)):
            writer.writerow([f"p{k:03}", account, limit, "agreement"])
    return path


def largest_campaign(scanned):
    """Return the accused accounts of the accused campaign that has most of them, and its id."""
    found = {
        c["campaign_id"]: {m["account_id"] for m in c["members"] if m["standing"] == "accused"}
        for c in scanned.run.campaigns
    }
    name = max(found, key=lambda c: (len(found[c]), c))
    assert len(found[name]) >= 4
    return found[name], name


def test_a_permit_turns_accused_into_permitted_and_its_excess_is_reported(played, tmp_path):
    before = played("small", 7)
    fleet, name = largest_campaign(before)
    wide = permit_for(fleet, tmp_path / "wide.csv", 10**9)
    after = played("small", 7, permits=wide)
    assert {after.standing[a] for a in fleet} == {"permitted"}
    assert after.accused == before.accused - fleet  # nobody else's standing depends on it
    (same,) = (c for c in after.run.campaigns if c["campaign_id"] == name)
    assert same["standing"] == "permitted"
    uses = after.run.summary["permits"]
    assert {u["permit_id"] for u in uses} == {f"p{k:03}" for k in range(len(fleet))}
    assert {u["kind"] for u in uses} == {"inside"}

    over = played("small", 7, permits=permit_for(fleet, tmp_path / "tight.csv", 1))
    assert {over.standing[a] for a in fleet} == {"permitted"}
    assert {u["kind"] for u in over.run.summary["permits"]} == {"excess"}
    assert all("days over its limit" in u["text"] for u in over.run.summary["permits"])


def test_a_permit_for_one_account_does_not_cover_its_partners(played, tmp_path):
    before = played("small", 7)
    fleet, name = largest_campaign(before)
    first, *rest = sorted(fleet)
    after = played("small", 7, permits=permit_for([first], tmp_path / "one.csv", 10**9))
    assert after.standing[first] == "permitted"
    assert {after.standing[a] for a in rest} == {"accused"}
    (same,) = (c for c in after.run.campaigns if c["campaign_id"] == name)
    assert same["standing"] == "accused"


def test_what_leaves_the_run_holds_nobodys_identity(small):
    text = (small.run.run_dir / "stix.json").read_text(encoding="utf-8")
    assert json.loads(text)["objects"]
    names = {a for a in small.truth} | {
        a["org_id"] for a in small.run.accounts.to_pylist() if a["org_id"]
    }
    assert not [n for n in names if n in text]


def test_a_window_without_traffic_is_refused_and_not_called_clear(played):
    with pytest.raises(InputError) as caught:
        played("tiny", 7, since=datetime(2030, 1, 1, tzinfo=UTC))
    assert caught.value.where == "--since, --until"
