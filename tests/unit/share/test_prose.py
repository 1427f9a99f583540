"""Prose: which texts pass without a person, and by which rule the others do not."""

from __future__ import annotations

import random
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stillwatch.cli.app import run
from stillwatch.share.commercial import joins
from stillwatch.share.prose import LONGEST, faults, unlisted
from stillwatch.share.vocabulary import vocabulary

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
# Words of the vocabulary that begin like a word of commerce and are none
ALIKE = {"computed", "customary", "devise", "devised", "devises", "devising"}


def rules(text, **options):
    return {fault.rule for fault in faults(text, now=NOW, **options)}


@pytest.mark.parametrize(
    "text",
    [
        "Accounts rotate through residential proxies and share one tool schema.",
        "First seen on 2026-10-03, last seen in October 2026.",
        "Prompts of 3 November 2026 and October 31, 2026 match.",
        "We observed 100-300 accounts; between 1,000 and 3,000 exchanges match the template.",
        "Hundreds of accounts asked for chain-of-thought reasoning (see AML.T0024.002).",
        "HTTP 429 and 403 responses were followed by retries within 24 hours.",
        "The IP addresses of a /24 prefix and the TLS 1.3 fingerprint match.",
        "The exploit of CVE-2025-12345 was seen in requests of these accounts.",
        "The campaign's prompts begin with the same eight words.",
        "The answers are used to train a student model.",
    ],
)
def test_what_an_analyst_writes_passes(text):
    assert faults(text, now=NOW) == []


SENTENCES = {
    name: block.strip().splitlines()
    for name, block in tomllib.loads(
        (Path(__file__).parent / "sentences.toml").read_text(encoding="utf-8")
    ).items()
}


@pytest.mark.parametrize(
    "name",
    [
        "unlawful",
        "unlawful_later",
        "unlawful_third",
        "unlawful_fourth",
        "unlawful_fifth",
        "unlawful_sixth",
        "unlawful_seventh",
        "unlawful_eighth",
        "unlawful_ninth",
        "unlawful_tenth",
    ],
)
def test_what_competitors_must_not_tell_is_refused_in_innocent_words_too(name):
    most = {
        "unlawful": 60,
        "unlawful_later": 131,
        "unlawful_third": 23,
        "unlawful_fourth": 160,
        "unlawful_fifth": 80,
        "unlawful_sixth": 39,
        "unlawful_seventh": 196,
        "unlawful_eighth": 51,
        "unlawful_ninth": 170,
        "unlawful_tenth": 54,
    }
    assert len(SENTENCES[name]) == most[name]
    assert [text for text in SENTENCES[name] if not rules(text)] == []


@pytest.mark.parametrize(
    ("name", "first", "step", "least"),
    [("lawful", 0, 3, 16), ("lawful", 1, 3, 17), ("lawful", 2, 3, 16), ("lawful_later", 0, 1, 46),
     ("lawful_fourth", 0, 1, 189), ("lawful_fifth", 0, 1, 30), ("lawful_sixth", 0, 1, 153),
     ("lawful_seventh", 0, 1, 105), ("lawful_eighth", 0, 1, 66), ("lawful_ninth", 0, 1, 42),
     ("lawful_tenth", 0, 1, 29)],
)  # fmt: skip
def test_most_of_what_analysts_wrote_before_the_words_were_chosen_passes(name, first, step, least):
    """The third batch was judged once, after the words of the other two were added."""
    batch = SENTENCES[name][first::step]
    assert sum(not rules(text) for text in batch) >= least


FRESH = {
    name: [line.rpartition("|")[::2] for line in block.strip().splitlines()]
    for name, block in tomllib.loads(
        (Path(__file__).parent / "fresh.toml").read_text(encoding="utf-8")
    ).items()
}


@pytest.mark.parametrize(("name", "least"), [("lawful_seen", 69), ("lawful_apart", 66)])
def test_what_four_providers_write_passes_for_the_most_part(name, least):
    """Of those apart 53 passed when they were judged once, before words were added for them."""
    passed = [text for where, text in FRESH[name] if not rules(text, name=where[-5:] == ".name")]
    assert len(FRESH[name]) == 75
    assert len(passed) >= least


OUTSIDE = {
    name: [line.rpartition("|")[::2] for line in block.strip().splitlines()]
    for name, block in tomllib.loads(
        (Path(__file__).parent / "outside.toml").read_text(encoding="utf-8")
    ).items()
}


@pytest.mark.parametrize(
    ("name", "most", "least"),
    [("lawful_seen", 75, 71), ("lawful_apart", 75, 69), ("lawful_second", 40, 32)],
)
def test_what_an_outside_hand_writes_passes_for_the_most_part(name, most, least):
    """At first 62, 50 and 24 passed: an author rewrites every third or fourth text."""
    passed = [text for where, text in OUTSIDE[name] if not rules(text, name=where[-5:] == ".name")]
    assert len(OUTSIDE[name]) == most
    assert len(passed) >= least


@pytest.mark.parametrize(
    ("name", "most"), [("unlawful_seen", 75), ("unlawful_apart", 75), ("unlawful_second", 40)]
)
def test_what_an_outside_hand_smuggles_is_refused(name, most):
    """At first 2, 2 and 5 passed."""
    assert len(OUTSIDE[name]) == most
    assert [text for _, text in OUTSIDE[name] if not rules(text)] == []


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("Seen in spring 2026.", True),
        ("Seen in winter 2026.", True),
        ("Seen in winter 2027.", False),
        ("Seen in spring 2027.", False),
        ("The proxy adds a Via header.", True),
        ("The proxy adds a Price header.", False),
        ("Sessions share one value of max_tokens.", True),
        ("Sessions share one value of max_price.", False),
        ("Blocked prompts reappear on another account.", True),
        ("Blocked accounts reappear on another account.", False),
        ("Adversaries may buy keys through a relay.", True),
        ("Adversaries buy keys of our provider.", False),
        ("Honest customers share these exits.", True),
        ("Customers share these exits.", False),
        ("Prompts are in Spanish, Polish and Korean.", True),
        ("Prompts are in Spanish, Polish and Ruritanian.", False),
        ("Fingerprint of the last sixteen tokens.", True),
        ("Fingerprint of the last seventeen tokens.", False),
        ("Reject sign-ups of this domain.", False),
        ("Two clusters of accounts match.", True),
        ("Two clusters are idle.", False),
        ("Three clusters stand empty since spring 2026.", False),
        ("Three clusters were added in spring 2026.", False),
        ("In winter 2026 the cluster stayed full.", False),
        ("Two benign cohorts moved elsewhere in autumn 2026.", False),
        ("Honest customers left in summer 2026.", False),
        ("Blocked prompts reappear on another provider.", False),
        ("The Age header shows how long the queue is.", False),
    ],
)
def test_forms_that_an_outside_hand_wanted_open_no_more_than_themselves(text, fine):
    assert (not rules(text)) is fine


@pytest.mark.parametrize("name", ["unlawful_seen", "unlawful_apart"])
def test_what_a_smuggler_wrote_before_the_rules_were_read_is_refused(name):
    assert len(FRESH[name]) == 75
    assert [text for _, text in FRESH[name] if not rules(text)] == []


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("Client libraries balance the load.", True),
        ("Clients of the endpoint.", False),
        ("The client's handshake is that of a rate-limited load-generator.", False),
        ("The load-generator repeats the prompts.", True),
        ("Student-model training uses the traces.", False),
        ("The traces are kept for student-model training.", True),
        ("Model training ends.", False),
        ("The preamble holds ten worked examples.", True),
        ("The endpoint has ten workers.", False),
        ("Requests arrive two seconds apart.", True),
        ("Answers arrive two seconds later.", False),
        ("Over 90 percent of the prompts share a template.", True),
        ("Over 91 percent of the prompts share a template.", False),
        ("Over 90 percent of the requests share a template.", False),
        ("The exits belong to one VPN provider.", True),
        ("The exits belong to one provider.", False),
        ("Use of one template in all sessions.", True),
        ("Dispose of these accounts.", False),
        ("See the report for variants.", True),
        ("See that these accounts are idle.", False),
        ("Strongly agree. The template is the same.", True),
        ("Strongly agree. Agree.", False),
        ("Requests carry an Accept-Language header.", True),
        ("Disposable email domains", True),
        ("Operators use a reseller.", True),
        ("Thousands of accounts use the same key.", True),
        ("Operators resell access.", False),
        ("The system prompt hash is the same in all accounts.", True),
        ("The hash of the identifier is the same in all accounts.", False),
        ("Account email hash", False),
        ("The prompts in French repeat those in German.", True),
        ("The accounts write in French.", False),
        ("Prompts with the exploit of CVE-2025-1234.", True),
        ("Prompts with the exploit of CVE-2025-1234", False),
    ],
)
def test_a_word_that_could_be_commerce_is_a_thing_of_machines_beside_listed_ones(text, fine):
    assert (not rules(text, name=text[-1] != ".")) is fine


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("Fresh accounts copied prompts, replayed traces, rotated exits.", False),
        ("Fresh accounts copied prompts and replayed traces, then rotated the exits.", True),
    ],
)
def test_eight_words_in_a_row_that_nothing_joins_were_drawn(text, fine):
    says = "holds a row of words that nothing joins"
    assert any(says in fault.says for fault in faults(text, now=NOW)) is not fine


def test_a_name_has_a_first_letter_too():
    """Playwright stands for a token, and would hide the letter that it begins with."""
    assert "no-commerce" in rules("Playwright recurred in coordinated exits.")


def test_the_letters_that_words_begin_with_do_not_read_as_text():
    """Forbidden sentences by the first letters of lawful words: 12 to 20 letters of them.

    Most are held by what the letters read as; honest sentences are not.
    """
    says = "begins its words with letters that read as text"
    honest = [text for name in SENTENCES if name.startswith("lawful") for text in SENTENCES[name]]
    held = [text for text in honest if any(says in fault.says for fault in faults(text, now=NOW))]
    assert len(held) <= 0.01 * len(honest), held
    words: dict[str, list[str]] = {}
    for text in honest:
        for word in text.lower().rstrip(".").split():
            words.setdefault(word[0], []).append(word.strip(",;:"))
    rng = random.Random(6)
    rows = []
    for said in SENTENCES["unlawful_fourth"]:
        letters = [c for c in said.lower() if c in words][: rng.randint(12, 20)]
        rows.append(" ".join(rng.choice(words[c]) for c in letters).capitalize() + ".")
    through = [row for row in rows if not rules(row)]
    assert len(through) <= 0.03 * len(rows), through
    read = sum(any(says in fault.says for fault in faults(row, now=NOW)) for row in rows)
    assert read >= 0.7 * len(rows)


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("The template was seen first in July and again in October.", True),
        ("The template was seen first in March and again in May.", False),
        ("The template was seen in December.", False),  # last year's, or one that is to come
        ("The template changes in October.", False),
        ("Retries stopped within three days.", True),
        ("Agree, the fingerprint recurs in the logs.", True),
        ("Agree with these accounts.", False),
        ("The connection was dropped after the reasoning.", True),
        ("Requests dropped at other providers.", False),
        ("I saw the same template.", True),
        ("I answer these accounts.", False),
        ("The template variables are unfilled.", True),
        ("The prompts are unpriced.", False),
        ("Members of the hub close such accounts.", False),
        ("The group returns before the end of the year.", False),
        ("The template was kept for eight days.", True),
        ("The endpoint was tested for eight days.", False),
        ("The answers are dropped for these accounts.", False),
    ],
)
def test_months_spans_and_opinions_are_told_in_listed_forms(text, fine):
    assert (not rules(text)) is fine


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("The clients reconnect within seconds.", True),
        ("The clients of the relay are loyal.", False),
        ("Look for prompts that share a template.", True),
        ("Look after these accounts.", False),
        ("Members of the cluster share a template.", True),
        ("Members share these accounts.", False),
        ("The sample is small and should be read with caution.", True),
        ("The accounts should be stopped.", False),
        ("The schedule of the prompts is regular.", True),
        ("The schedule of the model is regular.", False),
        ("The hub received an appeal about the indicator.", True),
        ("The hub received the accounts.", False),
        ("The prompts repeat every 30 seconds.", True),
        ("The endpoint answers in 30 seconds.", False),
        ("The templates have a similarity of 0.9.", True),
        ("The templates have a similarity of 0.93.", False),
        ("The re-venue of the accounts is the same.", False),
        ("Prompts move from English to Chinese.", True),
        ("Accounts move from English to Chinese.", False),
        ("Coherent sessions rotate distinct templates.", False),
    ],
)
def test_an_ambiguous_word_is_read_as_what_it_means_beside_others(text, fine):
    assert (not rules(text)) is fine


@pytest.mark.parametrize(
    ("text", "fine"),
    [("Quiet Harbour", True), ("Operation Copper Otter", True), ("Acme Harbour", False),
     ("Quiet Acme", False), ("Quiet Harbour of Acme", False)],
)  # fmt: skip
def test_a_campaign_has_a_name_of_two_listed_words(text, fine):
    assert (not rules(text, name=True)) is fine


def test_an_author_is_told_which_words_are_not_listed():
    text = "Prompts of Acme repeat the frame."
    assert unlisted(text, now=NOW) == [], "not written plainly"
    assert unlisted(text.replace("Acme", "acme"), now=NOW) == ["acme"]
    assert unlisted("Prompts of c-0123456789ab repeat.", now=NOW, own="c-0123456789ab") == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Prompts repeat  the frame.", "needs-a-person"),
        (" Prompts repeat.", "needs-a-person"),
        ("prompts repeat.", "needs-a-person"),
        ("Prompts RePeat.", "needs-a-person"),
        ("Prompts repeat .", "needs-a-person"),
        ("Prompts (repeat.", "needs-a-person"),
        ("Prompts repeat!", "needs-a-person"),
        ("Prompts\nrepeat.", "needs-a-person"),
        ("Prompts rep\u0435at.", "needs-a-person"),
        ("Prompts repeat\u200b.", "needs-a-person"),
        ("Prompts repeat on @date.", "needs-a-person"),
        ("", "needs-a-person"),
        ("Prompts match. " * 40, "needs-a-person"),
        ("Prompts " * 46, "needs-a-person"),
    ],
)
def test_there_is_one_plain_writing(text, rule):
    assert rule in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        "Accounts repeat 41 prompts.",
        "Accounts have 100-300 seats.",
        "Prompts of 100-301 accounts.",
        "Prompts of twelve accounts.",
        "Prompts of 2026-12-24.",
        "Prompts of December 2026.",
        "Prompts of 2026-02-30.",
        "Prompts of 2019-12-31.",
        "Prompts of CVE-2031-1234.",
        "Prompts match AML.T1234.",
        "Prompts got HTTP 418.",
        "Prompts use TLS 1.7.",
        "Prompts repeat 100 days.",
        "Prompts match 12.50.",
        "Accounts match 10.2.3.0/24.",
        "Prompts match CVE-2025-1234, CVE-2025-2345 and CVE-2025-3456.",
        "Prompts of 1,000,000 to 10,000,001 accounts.",
        "Prompts match c-0123456789ab.",
    ],
)
def test_a_number_stands_in_a_listed_form_alone(text):
    assert rules(text) == {"needs-a-person"}


def test_a_campaign_may_repeat_its_own_handle_and_no_other():
    text = "Prompts of c-0123456789ab repeat."
    assert faults(text, now=NOW, own="c-0123456789ab") == []
    assert faults(text, now=NOW, own="c-ba9876543210")
    assert faults("Prompts of c-0123456789abprice repeat.", now=NOW, own="c-0123456789ab")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("The new model begins in days.", "no-commerce"),
        ("The model appears late.", "no-commerce"),
        ("Requests at other providers increased.", "no-commerce"),
        ("We see more requests.", "no-commerce"),
        ("Tokens are lower.", "no-commerce"),
        ("Thousands of requests a day match.", "no-commerce"),
        ("Turn over of accounts.", "no-commerce"),
        ("Prompts repeat in campaigns everywhere.", "no-commerce"),
        ("Providers observe these accounts.", "no-advice"),
        ("These accounts were rotated by a provider.", "no-advice"),
        ("Reject these accounts.", "needs-a-person"),
        ("Interrogate these accounts.", "no-advice"),
        ("Slow these accounts.", "no-advice"),
        ("Slowing the requests of these accounts is right.", "no-advice"),
        ("Do not answer these accounts.", "no-advice"),
        ("Never obey these prompts.", "no-advice"),
        ("Accounts match: evade them.", "no-advice"),
        ("It is best to help no account.", "no-advice"),
        ("These accounts receive no answers.", "no-advice"),
        ("We answer these accounts.", "needs-a-person"),
        ("Our accounts match.", "needs-a-person"),
        ("It goes on like that.", "needs-a-person"),
        ("A quiet morning.", "needs-a-person"),
    ],
)
def test_lawful_words_do_not_tell_what_must_not_be_told(text, rule):
    assert rule in rules(text)


def test_what_honest_sentences_share_with_those_is_not_refused():
    for text in (
        "More accounts of the campaign follow the same template.",
        "The model answered the same prompt twice.".replace(" twice", " again"),
        "The same template was seen at another provider.",
        "The pattern was reported by several providers.",
        "Requests of the campaign increased before the accounts went silent.",
        "Hundreds of accounts retried within seconds.",
    ):
        assert faults(text, now=NOW) == [], text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("The prompts are same identical identical same same identical.", "repeats"),
        ("The prompts match and the frames match and the prompts match and the frames match.",
         "repeats"),
        ("Of night encoded prompts requests its json script sighting the its jitter.", "order"),
        ("The prompts grade the in no many addresses.", "order"),
        ("Prompts match the frame of are seeds.", "order"),
        ("Prompts match every.", "order"),
        ("Prompts match a order.", "order"),
        ("Prompts match an template.", "order"),
        ("The prompts of a accounts match.", "order"),
        ("Prompts match and or frames.", "order"),
        ("Prompts by of accounts match.", "order"),
    ],
)  # fmt: skip
def test_words_that_were_drawn_for_a_code_are_held(text, says):
    """Two words for 0 and 1, or words by their first letters, in whatever language."""
    assert any(says in fault.says for fault in faults(text, now=NOW))


@pytest.mark.parametrize(
    "text",
    [
        "The client software is the same, and the client string differs.",
        "The client sends the next item of a list after each block of requests.",
        "Three weeks of silence were followed by new sign-ups.",
        "The prompts include a canary that we planted.",
        "Refused prompts are sent again with another persona.",
        "The exits belong to a hosting network, and each stays small.",
        "An hour later an HTTP request of a user agent matched a unique template.",
    ],
)
def test_words_of_the_trade_that_look_like_commerce_pass(text):
    assert faults(text, now=NOW) == []


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("Round robin harvesting", True),
        ("Step-by-step Elicitation Cluster", True),
        ("Relay of Questions through a Gateway", False),
        ("round robin harvesting", False),
        ("Round RoBin harvesting", False),
        ("Blob replay.", False),
        ("Quiet morning", False),
        ("Prompt harvesting " * 6, False),
        ("Adversarial distillation of Acme", False),
    ],
)
def test_a_name_is_short_and_written_in_one_of_two_ways(name, fine):
    assert (faults(name, now=NOW, name=True) == []) is fine


def test_the_vocabulary_holds_no_word_of_commerce():
    known = vocabulary()
    taken = {word for word in known.words if joins("", word)}
    assert taken == ALIKE
    for word in (
        "price",
        "cost",
        "margin",
        "customer",
        "customers",
        "contract",
        "capacity",
        "gpu",
        "roadmap",
        "launch",
        "release",
        "revenue",
        "discount",
        "quarter",
        "plan",
        "volume",
        "usage",
        "demand",
        "users",
        "block",
        "blocked",
        "ban",
        "banned",
        "suspend",
        "deny",
        "refuse",
        "serve",
        "should",
        "must",
        "will",
        "next",
        "soon",
        "million",
        "percent",
        "twelve",
        "we",
        "our",
        "us",
        "per",
        "rate",
        "client",
        "payment",
        "training",
    ):
        assert word not in known.words, word


def test_every_pair_has_a_word_that_does_not_stand_alone():
    """A pair of words that may stand anyway would be a dead line."""
    known = vocabulary()
    for pair in known.pairs:
        assert not all(word in known.words for word in pair), pair


def test_a_long_text_is_judged_in_a_blink():
    import time

    text = ("Accounts share prompts and traces. " * 20)[:LONGEST].rsplit(". ", 1)[0] + "."
    began = time.process_time()
    for _ in range(20):
        assert faults(text, now=NOW) == []
    assert time.process_time() - began < 4


def test_the_command_says_why_and_names_the_words(capsys):
    assert run(["share", "wording", "Prompts of acme repeat the frame."]) == 1
    assert "not listed: acme" in capsys.readouterr().out
    assert run(["share", "wording", "Prompts repeat the frame."]) == 0
    assert "may be shared" in capsys.readouterr().out
