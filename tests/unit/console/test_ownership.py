"""A refusal by ownership in the console: in the queue, on a page of its own, with its appeal."""

from __future__ import annotations

import io
import zipfile

import pytest

from stillwatch.cases import Refused, enter_refusals, read_attachments, read_labels_on
from stillwatch.schema import to_micros

from .conftest import NOON
from .test_attached import send

SAID = {"access": "restricted", "as_of": "2026-11-26", "policies": [{"id": "p", "cites": "terms"}],
        "rules": [{"id": "fifty", "version": "v1", "title": "Half", "access": "restricted",
                   "text": "<b>a guidance</b>", "chain": [{"owner": "rec-jane"}]}]}  # fmt: skip


@pytest.fixture
def refused(desk):
    """A certain refusal of one account: (case, decision)."""
    one = Refused(to_micros(NOON), 1, "n-0-1", "deny", "restricted", "", "c1")
    made = enter_refusals(
        desk.book, [one], {1: "acct-nobody"}, {"c1": SAID}, terms=desk.terms, now=NOON
    )
    ((decision, case_id, _),) = made.decisions
    return case_id, decision


def test_it_is_in_the_queue_and_its_page_shows_the_rule_and_no_accusation(desk, inside, refused):
    case_id, _ = refused
    for name in ("Ana", "Vi"):
        who = inside(name)
        queue = who.get("/").text
        assert f"/cases/{case_id}" in queue
        assert "refused by a rule; accuses nobody" in queue
        page = who.get(f"/cases/{case_id}")
        assert page.status_code == 200
        assert "&lt;b&gt;a guidance&lt;/b&gt;" in page.text
        assert "1\u00a0account refused by an ownership rule" in page.text
        assert "rec-jane" not in page.text
        assert "Weigh it" not in page.text
        assert ("acct-nobody" in page.text) is (name == "Ana")


def test_its_appeal_is_entered_overdue_and_heard_there(desk, inside, refused, clock):
    case_id, decision = refused
    who = inside("Con")
    form = {"account": "acct-nobody", "appellant": "Erika M."}
    assert who.post(f"/decisions/{decision}/appeal", form).status_code == 303
    assert "stays until a person decides" in who.get(f"/cases/{case_id}").text
    clock.on(hours=73)
    who.log_in()
    late = who.get(f"/cases/{case_id}").text
    assert "overdue since" in late
    assert "has relaxed" not in late
    assert "appeal waits" in who.get("/").text
    heard = {"outcome": "rejected", "reason": "checked the register"}
    (appeal,) = {word for word in late.split('"') if word.startswith("/appeals/")}
    assert who.post(appeal, heard).status_code == 303
    assert "rejected" in who.get(f"/cases/{case_id}").text


def test_what_only_a_campaign_has_is_refused_with_words_and_no_crash(desk, inside, refused):
    case_id, _ = refused
    who = inside("Apo")
    for part in ("raster", "links", "whatif", "members", "requests", "traffic", "pack"):
        assert who.get(f"/cases/{case_id}/{part}").status_code < 500
    order = {"verdict": "deny", "reason": "relay", "scope": "accused"}
    assert who.post(f"/cases/{case_id}/decide", order).status_code in (400, 403, 404, 405, 409)
    assert who.post(f"/cases/{case_id}/weigh", order).status_code < 500
    for path in ("/overview", "/decisions", "/top", "/tests"):
        assert who.get(path).status_code == 200


def test_the_accounts_page_lists_the_case_and_asks_nobody_what_the_account_does(
    desk, inside, refused
):
    case_id, decision = refused
    at = f"/accounts/{desk.index.ref('acct-nobody')}"
    who = inside("Ana")
    page = who.get(at).text
    assert f'<a href="/cases/{case_id}">{case_id}</a> <small>refused by an ownership rule' in page
    assert f"({decision})" in page
    assert "It distils" not in page, "that would be a finding"
    said = {"case": case_id, "verdict": "true", "reason": "x"}
    assert who.post(f"{at}/label", said).status_code == 403
    assert who.post(f"{at}/note", {"case": case_id, "text": "called"}).status_code == 303
    assert "called" in who.get(at).text
    assert read_labels_on(desk.book, "acct-nobody") == []


def test_files_are_attached_there_as_to_any_other_case_and_go_into_its_packs(desk, inside, refused):
    """What an appellant sends shows who holds which share: it belongs to the case."""
    case_id, _ = refused
    who = inside("Con")
    send(who, case_id, name="register.pdf", remark="from the customer")
    (held,) = read_attachments(desk.book, case_id)
    page = who.get(f"/cases/{case_id}").text
    assert f'href="/attachments/{held.id}"' in page
    assert "from the customer" in page
    assert f'action="/cases/{case_id}/attach"' in page
    assert "register.pdf" not in inside("Vi").get(f"/cases/{case_id}").text
    levels = who.get(f"/cases/{case_id}/pack").text
    assert ('value="internal"' in levels, 'value="public"' in levels) == (True, False)
    pack = who.post(f"/cases/{case_id}/pack", {"level": "internal"})
    names = zipfile.ZipFile(io.BytesIO(pack.content)).namelist()
    assert f"{case_id}-internal/attachments/{held.id}-register.pdf" in names
    assert who.post(f"/cases/{case_id}/pack", {"level": "public"}).status_code == 403


def test_no_overview_and_no_export_tells_of_it_as_of_a_campaign(desk, inside, refused):
    """An incident titled "Adversarial distillation" would accuse whom a rule on owners refused."""
    case_id, decision = refused
    who = inside("Con")
    campaigns = len(desk.lines()) - 1
    events = who.get("/cases.ocsf.jsonl").text.splitlines()
    assert (len(events), f'"{case_id}"' in "".join(events)) == (campaigns, False)
    rows = who.get("/overview.csv").text.splitlines()
    assert (len(rows), f"{case_id}," in "".join(rows)) == (campaigns + 1, False)
    form = {"account": "acct-nobody", "appellant": "Erika M."}
    assert who.post(f"/decisions/{decision}/appeal", form).status_code == 303
    page = who.get("/overview").text
    assert f'/cases/{case_id}"' not in page
    assert "<b>0</b><span>accounts named by adverse decisions in force" in page
    assert "median of 0" in page
    assert "0 open, 0 lapsed" in page
