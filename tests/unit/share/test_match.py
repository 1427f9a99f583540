"""What each party of the matching learns, one corrupted party at a time, from the wire itself."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from scipy.stats import binom
from voprf import ristretto

from stillwatch.errors import EvidenceError, NotPermitted, ShareRefused
from stillwatch.share.match import (
    KeyHolder,
    Pinned,
    Quota,
    agree,
    band_values,
    epoch_of,
    tokens,
)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
EPOCH = "2026-11"
CARD = "+15550000007"
CANDIDATES = [f"+1555000000{k}" for k in range(10)]


class Wire:
    """Both holders, and a record of every message that reached each of them."""

    def __init__(self, per_day: int = 10_000) -> None:
        self.hub = KeyHolder("hub", {EPOCH: b"h" * 32}, Quota(":memory:", per_day=per_day))
        self.witness = KeyHolder("witness", {EPOCH: b"w" * 32}, Quota(":memory:"))
        self.seen: dict[str, list[tuple[str, bytes]]] = {"hub": [], "witness": []}

    def pinned(self, member: str, holder: KeyHolder) -> Pinned:
        def send(message: bytes) -> bytes:
            self.seen[holder.role].append((member, message))
            return holder.answer(member, message, now=NOW)

        return Pinned(send, holder.public_key(EPOCH))

    def tokens(self, member: str, values: list[str], kind: str = "phone") -> list[str]:
        return tokens(kind, values, EPOCH, hub=self.pinned(member, self.hub),
                      witness=self.pinned(member, self.witness))  # fmt: skip


def blinded(message: bytes) -> list[bytes]:
    return [base64.b64decode(one) for one in json.loads(message)["blinded"]]


def raw(holder: KeyHolder, value: bytes) -> bytes:
    """Return what a holder can compute alone, with its own secret key."""
    return holder._keys[EPOCH].evaluate_known_input(value)


def test_two_members_get_the_same_token_for_the_same_value_and_no_other():
    wire = Wire()
    (ours,) = wire.tokens("ours", [CARD])
    theirs = wire.tokens("theirs", CANDIDATES)
    assert [value for value, t in zip(CANDIDATES, theirs, strict=True) if t == ours] == [CARD]
    assert len(set(theirs)) == 10
    assert wire.tokens("ours", [CARD], kind="payment") != [ours], "kinds are kept apart"


@pytest.mark.parametrize("party", ["hub", "witness"])
def test_a_corrupted_holder_sees_who_asks_and_how_much_and_no_value(party):
    wire = Wire()
    wire.tokens("ours", [CARD, CARD])
    wire.tokens("theirs", [CARD])
    messages = wire.seen[party]
    assert [member for member, _ in messages] == ["ours", "theirs"]
    elements = [one for _, message in messages for one in blinded(message)]
    assert len(elements) == 3
    assert len(set(elements)) == 3, "equal values look different, to the same holder too"
    for _, message in messages:
        assert set(json.loads(message)) == {"epoch", "blinded"}
        for hidden in (CARD, CARD[1:], hashlib.sha256(CARD.encode()).hexdigest()):
            assert hidden.encode() not in message


@pytest.mark.parametrize("party", ["hub", "witness"])
def test_a_corrupted_holder_cannot_try_values_out_alone(party):
    """It has its key, a shared token and the list of all possible values, and finds nothing."""
    wire = Wire()
    (token,) = wire.tokens("ours", [CARD])
    own = wire.hub if party == "hub" else wire.witness
    other = wire.witness if party == "hub" else wire.hub
    seen = {one for _, message in wire.seen[party] for one in blinded(message)}
    for value in CANDIDATES:
        plain = f"phone\0{value}".encode()
        # its half once, its half twice in place of the other's, its half on what it saw
        for guess in (raw(own, plain), raw(own, raw(own, plain)),
                      *(raw(own, element) for element in seen)):  # fmt: skip
            assert hashlib.sha256(guess).hexdigest() != token
    # both together could: named in the threat model
    both = raw(wire.witness, raw(wire.hub, f"phone\0{CARD}".encode()))
    assert hashlib.sha256(both).hexdigest() == token
    assert other is not own


def test_a_corrupted_member_learns_its_own_values_tokens_and_is_held_to_its_quota():
    wire = Wire(per_day=12)
    (token,) = wire.tokens("ours", [CARD])
    wire.tokens("spy", CANDIDATES)
    with pytest.raises(NotPermitted, match="quota"):
        wire.tokens("spy", ["+15550000011", "+15550000012", "+15550000013"])
    wire.tokens("spy", ["+15550000011", "+15550000012"])
    with pytest.raises(NotPermitted, match="quota"):
        wire.tokens("spy", ["+15550000013"])
    assert token not in str(wire.seen), "no token ever goes back over the wire"


def test_a_holder_that_uses_another_key_for_one_member_is_caught():
    wire = Wire()
    spying = KeyHolder("hub", {EPOCH: b"x" * 32}, Quota(":memory:"))
    false = Pinned(lambda m: spying.answer("ours", m, now=NOW), wire.hub.public_key(EPOCH))
    with pytest.raises(EvidenceError, match="proof"):
        tokens("phone", [CARD], EPOCH, hub=false, witness=wire.pinned("ours", wire.witness))


def test_a_holder_that_changes_or_swaps_answers_is_caught():
    wire = Wire()
    honest = wire.pinned("ours", wire.hub)

    def changed(message: bytes) -> bytes:
        asked = json.loads(message)
        asked["blinded"] = asked["blinded"][::-1]
        return honest.send(json.dumps(asked).encode())

    for send in (changed, lambda _: b"{}", lambda _: b"\xff", lambda _: b'{"output": "AAAA"}'):
        with pytest.raises(EvidenceError):
            tokens("phone", CANDIDATES[:2], EPOCH, hub=Pinned(send, honest.public_key),
                   witness=wire.pinned("ours", wire.witness))  # fmt: skip


MALFORMED = {
    "nothing": b"", "a list": b"[]", "no fields": b"{}",
    "no elements": b'{"epoch": "2026-11", "blinded": []}', "no list": b'{"epoch": "2026-11"}',
    "too short": b'{"epoch": "2026-11", "blinded": ["AAAA"]}',
    "a text": b'{"epoch": "2026-11", "blinded": "abc"}',
    "no point": json.dumps(
        {"epoch": EPOCH, "blinded": [base64.b64encode(b"\xff" * 32).decode()]}).encode(),
    "the identity": json.dumps(
        {"epoch": EPOCH, "blinded": [base64.b64encode(b"\0" * 32).decode()]}).encode(),
    "another epoch": json.dumps(
        {"epoch": "2020-01", "blinded":
         [base64.b64encode(ristretto.Client.blind(b"x")[1].serialize()).decode()]}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED)
def test_malformed_messages_are_refused_and_cost_no_quota(message):
    quota = Quota(":memory:", per_day=1)
    holder = KeyHolder("hub", {EPOCH: b"h" * 32}, quota)
    with pytest.raises(NotPermitted):
        holder.answer("m", message, now=NOW)
    quota.take("m", 1, now=NOW)


def test_the_quota_is_kept_over_restarts_and_begins_anew(tmp_path):
    first = Quota(tmp_path / "q.db", per_day=10, per_epoch=15)
    first.take("m", 10, now=NOW)
    first.close()
    again = Quota(tmp_path / "q.db", per_day=10, per_epoch=15)
    with pytest.raises(NotPermitted):
        again.take("m", 1, now=NOW)
    again.take("other", 10, now=NOW)
    with pytest.raises(NotPermitted):
        again.take("m", 6, now=NOW + timedelta(days=1))
    again.take("m", 5, now=NOW + timedelta(days=1))
    again.take("m", 10, now=NOW + timedelta(days=5))
    again.close()


def test_tokens_change_with_the_epoch_and_old_keys_are_forgotten():
    wire = Wire()
    old = wire.tokens("ours", [CARD])
    december, march = NOW + timedelta(days=10), NOW + timedelta(days=100)
    holders = (wire.hub, wire.witness)
    assert {h.rotate(now=december) for h in holders} == {("2026-11", "2026-12")}
    pinned = [Pinned(lambda m, h=h: h.answer("a", m, now=december), h.public_key("2026-12"))
              for h in holders]  # fmt: skip
    new = tokens("phone", [CARD], "2026-12", hub=pinned[0], witness=pinned[1])
    assert new != old
    assert wire.hub.rotate(now=march) == ("2027-03",)
    with pytest.raises(NotPermitted, match="epoch"):
        wire.tokens("ours", [CARD])
    assert epoch_of(datetime(2026, 12, 1, tzinfo=UTC)) == "2026-12"


def test_one_seed_given_to_both_holders_makes_two_keys():
    keys = [KeyHolder(role, {EPOCH: b"s" * 32}, Quota(":memory:")).public_key(EPOCH)
            for role in ("hub", "witness")]  # fmt: skip
    assert keys[0] != keys[1]


def test_what_is_not_matchable_is_refused():
    wire = Wire()
    for kind, value in (("frame_head_8", "x"), ("name", "x"), ("phone", ""), ("phone", "9" * 5000)):
        with pytest.raises(ShareRefused):
            wire.tokens("ours", [value], kind=kind)
    assert wire.seen == {"hub": [], "witness": []}


def test_near_duplicate_frames_agree_in_their_bands_and_others_do_not():
    wire = Wire()
    frame = [3, 5, 7, 11, 13, 17, 19, 23]
    near = [3, 5, 7, 99, 98, 97, 96, 95]
    moved = frame[::-1]
    ours, theirs, other = (
        wire.tokens(m, band_values(b), kind="frame_band")
        for m, b in (("a", frame), ("b", near), ("c", moved))
    )
    assert agree(ours, theirs)
    assert agree(ours, theirs, at_least=3)
    assert not agree(ours, theirs, at_least=4)
    assert not agree(ours, other), "a band counts at its place only"
    for similarity, told in ((0.9, 0.92), (0.5, 4e-4)):
        assert binom.sf(1, 8, similarity**8) == pytest.approx(told, rel=0.06), "the docstring's"
    with pytest.raises(ShareRefused):
        band_values([1, 2, 3])
