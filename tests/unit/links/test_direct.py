"""Direct evidence: what only a partner could do, and only between organizations."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from stillwatch.schema import BANNED_RE

H = timedelta(hours=1)
M = timedelta(minutes=1)


def conversation(log, first, second, *, at=H):
    """Let ``first`` open a conversation that ``second`` continues half an hour later."""
    opening, answer = log.words(20), log.words(30)
    log.say(first, opening, at=at, output_text=answer)
    log.say(
        second, log.words(8), at=at + 30 * M, output_text=log.words(9),
        before=[("user", opening), ("assistant", answer)],
    )  # fmt: skip
    return opening, answer


def test_a_conversation_continued_by_another_organization_is_a_handoff(log, linked, direct_of):
    conversation(log, "ann", "bob")
    assert direct_of(linked(log)) == [("handoff", "ann", "bob")]


def test_one_organizations_own_conversation_is_no_handoff(log, linked, direct_of):
    log.account("ann", org="one")
    log.account("bob", org="one")
    conversation(log, "ann", "bob")
    assert direct_of(linked(log)) == []


def end_users(log, account="gateway", **more):
    """Make an account a channel of five end users, and return what says something as one of them.

    Each is a subject and an organization of its own; who they are is what the account's owner
    writes, which may be another name for every session of one person.
    """
    for k in range(5):
        log.say(account, log.words(12), end_user_id=f"session-{k}", channel="gateway")
    log.account(account, **more)

    def say(number, text, **columns):
        columns |= {"end_user_id": f"session-{number}", "channel": "gateway"}
        return log.say(account, text, **columns)

    return say


def test_end_users_of_one_account_hand_nothing_over(log, linked, direct_of):
    say = end_users(log)
    opening, answer = log.words(20), log.words(30)
    say(0, opening, at=H, output_text=answer)
    goes_on = {"before": [("user", opening), ("assistant", answer)]}
    say(1, log.words(8), at=2 * H, **goes_on)
    assert direct_of(linked(log)) == []
    log.say("other", log.words(8), at=3 * H, **goes_on)
    assert direct_of(linked(log)) == [("handoff", "gateway", "other")]


def test_what_an_account_held_before_its_end_users_go_on_with_as_their_own(log, linked, direct_of):
    """Another account held it too, and later; as of an account without end users."""
    say = end_users(log)
    opening, answer, blob = log.words(20), log.words(30), b"opaque reasoning"
    say(0, opening, at=H, output_text=answer, reasoning_blob=blob)
    log.say("other", opening, at=2 * H, output_text=answer)
    say(1, log.words(8), at=3 * H, before=[("user", opening), ("assistant", answer)])
    assert direct_of(linked(log)) == []
    log.say("other", log.words(20), at=4 * H, reasoning_blob=blob)
    say(2, log.words(20), at=5 * H, reasoning_blob=blob)
    assert direct_of(linked(log)) == [("blob_replay", "gateway", "other")]


def test_end_users_and_accounts_of_one_organization_hand_nothing_over(log, linked, direct_of):
    say = end_users(log, org_id="one")
    log.account("batch", org="one")
    opening, answer = log.words(20), log.words(30)
    say(0, opening, at=H, output_text=answer)
    log.say("batch", log.words(8), at=2 * H, before=[("user", opening), ("assistant", answer)])
    assert direct_of(linked(log)) == []


def test_what_five_end_users_carry_is_public(log, linked, direct_of):
    """A prompt of the gateway's own, which its users begin with: going on from it says nothing."""
    say = end_users(log)
    opening, answer = log.words(20), log.words(30)
    for k in range(5):
        say(k, opening, at=H + k * M, output_text=answer)
    log.say("other", log.words(8), at=2 * H, before=[("user", opening), ("assistant", answer)])
    assert direct_of(linked(log)) == []


def test_ones_own_conversation_is_no_handoff_even_if_another_holds_it_too(log, linked, direct_of):
    opening, answer = conversation(log, "ann", "ann")
    log.say("bob", opening, at=H + M, output_text=answer)
    assert direct_of(linked(log)) == []


def test_a_public_conversation_is_no_handoff(log, linked, direct_of):
    opening, answer = log.words(20), log.words(30)
    for k in range(5):
        log.say(f"reader-{k}", opening, at=H + k * M, output_text=answer)
    before = [("user", opening), ("assistant", answer)]
    log.say("bob", log.words(8), at=2 * H, before=before)
    assert direct_of(linked(log)) == []
    del log.rows[4]  # four organizations are still a circle, not the public
    kinds = {kind for kind, _, _ in direct_of(linked(log))}
    assert kinds == {"handoff"}


def test_who_continues_before_the_beginning_took_nothing_over(log, linked, direct_of):
    opening, answer = log.words(20), log.words(30)
    before = [("user", opening), ("assistant", answer)]
    log.say("bob", log.words(8), at=H, before=before)
    log.say("ann", opening, at=2 * H, output_text=answer)
    assert direct_of(linked(log)) == []


def test_the_last_holder_before_it_hands_over(log, linked, direct_of):
    opening, answer = log.words(20), log.words(30)
    log.say("ann", opening, at=H, output_text=answer)
    log.say("eve", opening, at=H + 10 * M, output_text=answer)
    before = [("user", opening), ("assistant", answer)]
    log.say("bob", log.words(8), at=2 * H, before=before)
    assert direct_of(linked(log)) == [("handoff", "eve", "bob")]


def test_a_blob_sent_by_another_organization_is_a_replay(log, linked, direct_of):
    log.account("cat", org="org-ann")
    log.say("ann", log.words(20), at=H, reasoning_blob=b"opaque reasoning 1")
    log.say("bob", log.words(20), at=2 * H, reasoning_blob=b"opaque reasoning 1")
    log.say("ann", log.words(20), at=H, reasoning_blob=b"opaque reasoning 2")
    log.say("cat", log.words(20), at=2 * H, reasoning_blob=b"opaque reasoning 2")
    assert direct_of(linked(log)) == [("blob_replay", "ann", "bob")]


def test_a_retry_elsewhere_counts_within_ten_minutes_of_a_block(log, linked, direct_of):
    cases = {
        "denied": ("denied", 9 * M),
        "limited": ("rate_limited", 10 * M),
        "too-late": ("rate_limited", 11 * M),
        "broken": ("server_error", M),
        "refused": ("refused", M),
        "answered": ("ok", M),
        "before": ("denied", -M),
    }
    for name, (status, after) in cases.items():
        prompt = log.words(20)
        log.say(f"{name}-1", prompt, at=2 * H, status=status)
        log.say(f"{name}-2", prompt, at=2 * H + after)
    assert direct_of(linked(log)) == [
        ("retry", "denied-1", "denied-2"), ("retry", "limited-1", "limited-2"),
    ]  # fmt: skip


def test_ones_own_retry_and_a_public_or_tiny_prompt_are_no_retries(log, linked, direct_of):
    own, public, tiny = log.words(20), log.words(20), "continue please"
    log.account("cat", org="org-ann")
    log.say("ann", own, at=H, status="denied")
    log.say("cat", own, at=H + M)
    for k in range(5):
        log.say(f"reader-{k}", public, at=2 * H + k * M, status="rate_limited")
    log.say("ann", tiny, at=3 * H, status="denied")
    log.say("bob", tiny, at=3 * H + M)
    assert direct_of(linked(log)) == []


def test_what_an_owner_sent_before_it_sends_again_on_its_own_account(log, linked, direct_of):
    """Pollers of one prompt are limited in turn, and each sends what it sent before."""
    polled, other = log.words(20), log.words(20)
    for n in range(6):
        for k, name in enumerate(("ann", "bob", "cat")):
            log.say(name, polled, at=H + n * M, status="rate_limited" if n % 3 == k else "ok")
    say = end_users(log)
    say(0, other, at=2 * H)
    log.say("bob", other, at=2 * H + M, status="denied")
    say(1, other, at=2 * H + 2 * M)
    assert direct_of(linked(log)) == []
    log.say("dan", polled, at=H + 6 * M)
    assert direct_of(linked(log)) == [("retry", "cat", "dan")]


def test_a_successor_takes_up_a_template_of_a_banned_account(log, linked, direct_of):
    cases = {
        "banned": ("policy", 3 * H, None),
        "much-later": ("policy", 49 * H, None),
        "before": ("policy", -2 * H, None),
        "same-org": ("policy", 3 * H, "org-same-org-0"),
        "left": ("customer", 3 * H, None),
        "asked": ("user_request", 3 * H, None),
        "unpaid": ("payment_failed", 3 * H, None),
        "asleep": ("inactivity", 3 * H, None),
        "unknown": ("bank 7", 3 * H, None),
        "unsaid": (None, 3 * H, None),
    }
    for name, (reason, created_after, org) in cases.items():
        frame = log.words(20)
        for k in range(4):
            log.account(f"{name}-{k}", created_at=log.start - 100 * 24 * H)
            for n in range(4):
                log.say(f"{name}-{k}", f"{frame} {log.words(20)}", at=n * H + k * M)
        log.account(f"{name}-0", closed_at=log.start + 5 * H, closed_reason=reason)
        log.account(f"{name}-new", org=org, created_at=log.start + 5 * H + created_after)
        log.say(f"{name}-new", f"{frame} {log.words(20)}", at=6 * H + max(created_after, 0 * H))
    found = [d for d in direct_of(linked(log)) if d[0] == "succession"]
    assert found == [("succession", "banned-0", "banned-new")]


def test_a_new_gateway_succeeds_a_banned_account_once(log, linked, direct_of):
    """Whatever number of end users it names; and its owner's own ban hides no other's."""
    frame = log.words(20)
    for k in range(4):
        log.account(f"old-{k}", created_at=log.start - 100 * 24 * H)
        for n in range(4):
            log.say(f"old-{k}", f"{frame} {log.words(20)}", at=n * H + k * M)
    banned = {"closed_reason": "policy", "closed_at": log.start + 5 * H}
    log.account("old-0", **banned)
    say = end_users(log, created_at=log.start + 6 * H)
    for k in range(5):
        say(k, f"{frame} {log.words(20)}", at=7 * H + k * M)
    assert direct_of(linked(log)) == [("succession", "old-0", "gateway")]
    own = end_users(log, "spare", org_id="org-new", **banned | {"closed_at": log.start + 6 * H})
    own(0, f"{frame} {log.words(20)}", at=5 * H)
    log.account("new", org="org-new", created_at=log.start + 7 * H)
    log.say("new", f"{frame} {log.words(20)}", at=8 * H)
    assert ("succession", "old-0", "new") in direct_of(linked(log))


@pytest.mark.parametrize(
    ("reason", "banned"),
    [("policy", True), ("Terms of Service", True), ("tos_violation", True), ("BANNED", True),
     ("payment_fraud", True), ("abuse_suspected", True), ("spam", True), ("ban", True),
     ("scraper", True), ("breach_of_terms", True), ("TermsOfUse", True),
     ("project scrapped", False), ("midterms over", False),
     ("photos", False), ("urban", False), ("bank_transfer", False), ("payment_failed", False),
     ("user_request", False), ("migrated", False), ("", False)],
)  # fmt: skip
def test_words_that_say_that_the_provider_closed_an_account(reason, banned):
    assert bool(re.search(BANNED_RE, reason.lower())) is banned
