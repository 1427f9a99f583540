"""Rule two-persons, and the rest of what a package must have before it leaves."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from stillwatch.errors import ConfigError, EvidenceError, ShareRefused
from stillwatch.seal import Ledger, digest, new_key, open_checkpoint, public_key, read_private_key
from stillwatch.share import content as make
from stillwatch.share.client import (
    open_home,
    package_of,
    packages,
    prepare,
    prepare_campaign,
    release,
    review,
    revoke,
    send,
    sight,
    start_home,
    summarize,
    verify_own,
    verify_receipt,
)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PEOPLE = ("alice", "bob", "carol")
SEEN = "campaign--2c1f2e4a-9b7d-5e3f-8a65-1d0c9b8e7f6a"


class Hub:
    """Takes everything, and remembers what came."""

    def __init__(self):
        self.came = []

    def add(self, objects):
        self.came += objects
        return {(o["id"], o.get("modified", o.get("created", ""))): ("success", "")
                for o in objects}  # fmt: skip


@pytest.fixture
def home(tmp_path):
    start_home(tmp_path / "share", contributor=uuid.UUID("2c1f2e4a-9b7d-4e3f-8a65-1d0c9b8e7f6a"))
    path = tmp_path / "share"
    with (path / "share.toml").open("a") as file:
        for name in PEOPLE:
            new_key(path / "keys" / name)
            file.write(f'[people.{name}]\nkey = "keys/{name}.pub"\n')
            file.write("counsel = true\n" if name == "carol" else "")
        file.write(
            '[[legal_basis]]\nname = "n"\nsource = "s"\nsince = 2026-01-01\n'
            'until = 2027-01-01\nreviewed_by = "c"\npurposes = ["detection", "correction"]\n'
        )
    return open_home(path)


def key(home, name):
    return read_private_key(home.path / "keys" / name)


def line(**changes):
    claim = {"confidence": 0.99, "evidence": [{"signal": "shared_exits", "p_value": 1e-9}]}
    return {
        "campaign_id": "c-9f8e27b6a5d4", "standing": "accused", "accounts": 41, "exchanges": 900,
        "first_seen": "2026-11-16T03:12:07Z", "last_seen": "2026-11-20T17:45:00Z",
        "methods": [], "claims": {"coordinated": claim, "extractive": claim},
    } | changes  # fmt: skip


def prepared(home):
    return prepare_campaign(home, line(), [{"kind": "near_text", "value": "9f3c51d7a2e8604b"}],
                            now=NOW)  # fmt: skip


def test_two_different_persons_release(home):
    package, hub = prepared(home), Hub()
    with pytest.raises(ShareRefused, match="nobody has reviewed"):
        send(home, package, hub, now=NOW)
    with pytest.raises(ShareRefused, match="nobody has reviewed"):
        release(home, package, "alice", key(home, "alice"), now=NOW)
    assert review(home, package, "alice", key(home, "alice"), now=NOW) == 1
    assert review(home, package, "alice", key(home, "alice"), now=NOW) == 1, "again"
    with pytest.raises(ShareRefused, match="1 of 2"):
        send(home, package, hub, now=NOW)
    for name, own in (("alice", "alice"), ("bob", "alice"), ("mallory", "alice")):
        with pytest.raises(ShareRefused, match="two-persons"):
            release(home, package, name, key(home, own), now=NOW)
    assert hub.came == []
    assert release(home, package, "bob", key(home, "bob"), now=NOW) == 2
    assert release(home, package, "bob", key(home, "bob"), now=NOW) == 2, "again"
    assert send(home, package, hub, now=NOW)["success"] == len(package.objects)
    assert len(hub.came) == len(package.objects)
    send(home, package, hub, now=NOW)
    assert len(hub.came) == len(package.objects), "idempotent"


def test_a_release_runs_out_and_so_does_its_legal_basis(home):
    package, hub = prepared(home), Hub()
    review(home, package, "alice", key(home, "alice"), now=NOW)
    release(home, package, "bob", key(home, "bob"), now=NOW)
    with pytest.raises(ShareRefused, match="run out"):
        send(home, package, hub, now=NOW + timedelta(days=15))
    late = NOW + timedelta(days=15)
    review(home, package, "bob", key(home, "bob"), now=late)
    release(home, package, "alice", key(home, "alice"), now=late)
    with pytest.raises(ShareRefused, match=r"run out|legal-basis"):
        send(home, package, hub, now=datetime(2027, 1, 1, tzinfo=UTC))
    assert hub.came == []
    with pytest.raises(ShareRefused, match="legal-basis"):
        prepare_campaign(home, line(), [], now=datetime(2027, 1, 1, tzinfo=UTC))


def test_a_changed_package_or_a_release_of_another_does_not_leave(home):
    package = prepared(home)
    other = prepare_campaign(home, line(campaign_id="c-0f8e27b6a5d1"), [], now=NOW)
    for one in (package, other):
        review(home, one, "alice", key(home, "alice"), now=NOW)
        release(home, one, "bob", key(home, "bob"), now=NOW)
    (package.path / "release.json").write_bytes((other.path / "release.json").read_bytes())
    with pytest.raises(ShareRefused, match="another package"):
        send(home, package, Hub(), now=NOW)
    body = (other.path / "objects.json").read_bytes()
    (other.path / "objects.json").write_bytes(body.replace(b"30-100", b"10-300"))
    with pytest.raises(EvidenceError, match="changed after"):
        package_of(home, other.name)


def test_an_operator_is_claimed_with_counsel_only(home):
    made = make.actor("intrusion-set", 80, ["harvest"], digest(b"counsel's release"),
                      by=home.contributor, created=NOW)  # fmt: skip
    package = prepare(home, [made], "detection", now=NOW)
    review(home, package, "alice", key(home, "alice"), now=NOW)
    release(home, package, "bob", key(home, "bob"), now=NOW)
    with pytest.raises(ShareRefused, match="counsel"):
        send(home, package, Hub(), now=NOW)
    release(home, package, "carol", key(home, "carol"), now=NOW)
    assert send(home, package, Hub(), now=NOW)["success"] == 2, "with its policy"


def test_what_the_guard_refuses_is_not_put_into_the_outbox_and_is_in_the_ledger(home):
    bad = make.opinion(SEEN, "agree", by=home.contributor, created=NOW) | {"price": "12 USD"}
    with pytest.raises(ShareRefused, match="closed-shape"):
        prepare(home, [bad], "detection", now=NOW)
    assert list(packages(home)) == []
    everything = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    assert summarize(home, *everything) == {"denied": 1}
    assert b"12 USD" not in (home.path / "ledger.db").read_bytes()
    assert verify_own(home) == 1


def test_a_campaign_is_described_in_prose_that_nobody_needs_to_read_or_not_at_all(home):
    text = "Accounts rotate through residential proxies and share one tool schema."
    made = prepare_campaign(home, line(), [], now=NOW, description=text)
    told = [one["description"] for one in made.objects if one["type"] == "campaign"]
    assert told == [text]
    for said in ("Accounts of Acme rotate.", "The new model begins in days."):
        with pytest.raises(ShareRefused, match="closed-prose"):
            prepare_campaign(
                home, line(campaign_id="c-0f8e27b6a5d1"), [], now=NOW, description=said
            )


def test_only_accused_campaigns_are_shared(home):
    for standing in ("watch", "permitted"):
        with pytest.raises(ShareRefused, match="accused"):
            prepare_campaign(home, line(standing=standing), [], now=NOW)


def test_nothing_of_a_customer_is_in_the_outbox(home):
    secret = "acct-0815"
    row = line(members=[{"account_id": secret, "org_id": "org-77"}], recommended={"who": secret})
    row["claims"]["coordinated"]["evidence"][0]["text"] = f"{secret} from 203.0.113.9"
    package = prepare_campaign(home, row, [], now=NOW)
    text = json.dumps(package.objects)
    for hidden in (secret, "org-77", "203.0.113.9"):
        assert hidden not in text


def test_a_correction_needs_one_person_and_only_ones_own_can_be_taken_back(home):
    package = prepared(home)
    with pytest.raises(ShareRefused, match="no objects that you sent"):
        revoke(home, [SEEN], now=NOW)
    own = next(o["id"] for o in package.objects if o["type"] == "campaign")
    gone = revoke(home, [own], now=NOW + timedelta(hours=1))
    later = NOW + timedelta(hours=1)
    review(home, gone, "bob", key(home, "bob"), now=later)
    hub = Hub()
    send(home, gone, hub, now=later)
    kinds = {o["type"] for o in hub.came if o.get("revoked")}
    everything = {"campaign", "indicator", "infrastructure", "observed-data", "relationship"}
    assert kinds == everything
    left = [o["type"] for o in hub.came if not o.get("revoked")]
    assert left == ["marking-definition", "software", "note"], "what others refer to comes first"


def test_the_latest_version_is_found_by_its_time_and_taken_back_by_a_later_one(home):
    """Of times with and without digits after the second the text tells no order."""
    own = f"campaign--{uuid.UUID(int=5**50, version=4)}"
    first = {"type": "campaign", "spec_version": "2.1", "id": own, "created_by_ref":
             home.contributor, "created": "2026-11-27T12:00:00Z",
             "modified": "2026-11-27T12:00:00Z", "name": "Model extraction"}  # fmt: skip
    second = first | {"modified": "2026-11-27T12:00:00.500Z", "name": "Prompt harvesting"}
    package = prepare(home, [second, first], "detection", now=NOW)
    assert [one["name"] for one in package.objects] == ["Model extraction", "Prompt harvesting"]
    (gone,) = (one for one in revoke(home, [own], now=NOW).objects if one.get("revoked"))
    assert (gone["name"], gone["modified"]) == ("Prompt harvesting", "2026-11-27T12:00:01.000Z")


def test_an_answer_is_found_whatever_digits_the_hub_writes(home):
    package = prepared(home)
    review(home, package, "alice", key(home, "alice"), now=NOW)
    release(home, package, "bob", key(home, "bob"), now=NOW)

    class Other(Hub):
        def add(self, objects):
            found = super().add(objects)
            return {(name, version.replace(".000Z", "Z")): answer
                    for (name, version), answer in found.items()}  # fmt: skip

    sent = send(home, package, Other(), now=NOW)
    assert sent == {"success": len(package.objects), "failure": 0, "pending": 0}


def test_a_sighting_waits_between_6_and_48_hours(home):
    for seed in range(20):
        day = NOW - timedelta(days=seed + 1)
        made = sight(home, SEEN, 5, day, NOW, now=NOW, rng=random.Random(seed))
        assert made.not_before is not None
        assert timedelta(hours=6) <= made.not_before - NOW <= timedelta(hours=48)


def test_the_same_thing_prepared_twice_is_one_package(home):
    assert prepared(home).name == prepared(home).name
    assert len(list(packages(home))) == 1


def test_settings_that_cannot_be_meant_are_refused(home):
    text = (home.path / "share.toml").read_text()
    for wrong in (
        text.replace("bob.pub", "alice.pub"),
        text.replace('"amber"', '"red"'),
        "contributer = 1\n" + text,
        "approval_days = 900\n" + text,
        text + "\n[[",
    ):
        (home.path / "share.toml").write_text(wrong)
        with pytest.raises(ConfigError):
            open_home(home.path)
    with pytest.raises(ConfigError):
        open_home(home.path / "nowhere")


def test_a_receipt_of_the_hub_is_checked_off_line(home, tmp_path):
    import base64

    signer = new_key(tmp_path / "hub")
    with Ledger(tmp_path / "hub.db", origin="hub/log") as log:
        log.record_all([{"what": "submission", "object": k} for k in range(5)])
        entry = log.entry(3)
        receipt = {"number": 3, "event": dict(entry.event), "salt": entry.salt.hex(),
                   "proof": [base64.b64encode(s).decode() for s in log.inclusion(3)],
                   "checkpoint": log.checkpoint(signer)}  # fmt: skip
    seen = verify_receipt(receipt, public_key(signer), origin="hub/log")
    assert seen == open_checkpoint(receipt["checkpoint"], public_key(signer), origin="hub/log")
    for change in ({"event": {"what": "denial", "object": 3}}, {"number": 2}, {"salt": "00"},
                   {"proof": []}, {"proof": ["!"]}, {"checkpoint": "x"}):  # fmt: skip
        with pytest.raises(EvidenceError):
            verify_receipt(receipt | change, public_key(signer), origin="hub/log")
    with pytest.raises(EvidenceError):
        verify_receipt({}, public_key(signer), origin="hub/log")
