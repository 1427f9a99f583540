"""Files attached to a case: sent as a browser sends them, kept as they came, never shown."""

from __future__ import annotations

import hashlib
import re

import pytest
from starlette.testclient import TestClient

from stillwatch.cases import (
    read_attachment,
    read_attachments,
    read_decisions,
    read_entries,
    verify_book,
)
from stillwatch.console import create_app

OURS = {"origin": "https://testserver", "sec-fetch-site": "same-origin"}
PAGE = b"<script>alert(1)</script>"


def send(who, case, name="letter.pdf", data=b"%PDF-1.7 evidence", **form):
    return who.http.post(f"/cases/{case}/attach", data={"csrf": who.csrf, **form}, headers=OURS,
                         files={"file": (name, data, "text/html")})  # fmt: skip


def test_a_file_comes_back_byte_for_byte_as_a_download_of_no_type(desk, inside, big_case):
    who, data = inside("Ana"), bytes(range(256)) * 900
    answer = send(who, big_case, data=data, remark="from the customer")
    assert answer.headers["location"] == f"/cases/{big_case}#attachments"
    (held,) = read_attachments(desk.book, big_case)
    assert (held.name, held.bytes, held.by) == ("letter.pdf", len(data), "Ana")
    assert held.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    page = who.get(f"/cases/{big_case}").text
    assert "1&#160;file attached" in page or "1\u00a0file attached" in page
    assert held.digest.removeprefix("sha256:") in page
    assert "from the customer" in page
    got = who.get(f"/attachments/{held.id}")
    assert got.content == data
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"].startswith('attachment; filename="letter.pdf"')
    assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert (got.headers["x-content-type-options"], got.headers["cache-control"]) == (
        "nosniff", "no-store",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "kept", "leaves"),
    [
        ("../../etc/passwd", "passwd", "passwd.attached"),
        ("C:\\fakepath\\scan.PNG", "scan.PNG", "scan.PNG"),
        ("page.html", "page.html", "page.html.attached"),
        ("chart.svg", "chart.svg", "chart.svg.attached"),
        ("bill\u202efdp.exe", "billfdp.exe", "billfdp.exe.attached"),
        ('a"; filename="b.html', "a_22_ filename=_22b.html", "a_22_ filename=_22b.html.attached"),
        ("<img src=x onerror=alert(1)>.txt", "_img src=x onerror=alert(1)_.txt",
         "_img src=x onerror=alert(1)_.txt"),
        ("Größe 漢.txt", "Größe 漢.txt", "Größe 漢.txt"),
        ("x" * 500 + ".pdf", "x" * 116 + ".pdf", "x" * 116 + ".pdf"),
        ("NUL.txt", "_NUL.txt", "_NUL.txt"),
        (" . ", "unnamed", "unnamed.attached"),
    ],
)  # fmt: skip
def test_a_hostile_name_is_only_a_name(desk, inside, big_case, given, kept, leaves):
    who = inside("Ana")
    assert send(who, big_case, name=given, data=PAGE).status_code == 303
    (held,) = read_attachments(desk.book, big_case)
    assert held.name == kept
    told = who.get(f"/attachments/{held.id}").headers["content-disposition"]
    found = re.fullmatch(r'attachment; filename="([^"\\\r\n]*)"; filename\*=UTF-8\'\'(\S+)', told)
    from urllib.parse import unquote

    assert unquote(found[2]) == leaves
    assert found[1].isascii()
    assert b"<img src" not in who.get(f"/cases/{big_case}").content


def test_larger_files_are_refused_and_nothing_is_kept(desk, inside, big_case):
    desk.most_attached = 50_000
    who, case = inside("Ana"), big_case
    answer = send(who, case, data=b"x" * 50_001 + b"y" * 262_144)
    assert (answer.status_code, "larger than 0.05 MB" in answer.text) == (413, True)
    assert read_attachments(desk.book, case) == []
    assert send(who, case, data=b"x" * 50_000).status_code == 303


def test_only_who_may_attach_is_read_beyond_a_small_form(desk, inside, big_case):
    large = {"file": ("a.txt", b"x" * 300_000)}
    for who in (inside("Vi"), inside("Ad")):
        assert who.http.post(f"/cases/{big_case}/attach", files=large).status_code == 413
    outside = TestClient(create_app(desk), base_url="https://testserver", follow_redirects=False)
    assert outside.post(f"/cases/{big_case}/attach", files=large).status_code == 413
    other = inside("Ana").http.post(f"/cases/{big_case}/note", files=large)
    assert other.status_code == 413, "a page without a file takes none"
    assert read_attachments(desk.book, big_case) == []


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [("a.txt", b"", "the file is empty"), ("", b"", "no file was chosen")],
)
def test_nothing_and_the_same_again_are_told(desk, inside, big_case, name, data, why):
    who = inside("Ana")
    answer = send(who, big_case, name=name, data=data)
    assert (answer.status_code, why in answer.text) == (422, True)
    assert send(who, big_case).status_code == 303
    again = send(who, big_case, name="another name.pdf")
    assert (again.status_code, "already" in again.text) == (422, True)
    assert len(read_attachments(desk.book, big_case)) == 1


def test_a_closed_case_takes_no_file_no_note_and_nobody_but_while_an_appeal_waits(
    desk, inside, big_case
):
    who = inside("Con")
    order = {"verdict": "throttle", "reason": "relay", "scope": "accused"}
    assert inside("Ana").post(f"/cases/{big_case}/decide", order).status_code == 303
    (decision,) = read_decisions(desk.book, big_case)
    closed = {"reason": "done"}
    assert inside("Ana").post(f"/cases/{big_case}/close", closed).status_code == 303
    noted = inside("Ana").post(f"/cases/{big_case}/note", {"text": "x"})
    given = inside("Ana").post(f"/cases/{big_case}/assign", {"to": "Bo"})
    for refused in (send(who, big_case), noted, given):
        assert refused.status_code == 409
        assert "it is closed: notes, files and people are for a case in which" in refused.text
    assert inside("Ana").post(f"/cases/{big_case}/close", closed).status_code == 409
    assert f'action="/cases/{big_case}/assign"' not in inside("Ana").get(f"/cases/{big_case}").text
    account = decision.accounts[0]
    form = {"text": "x", "case": big_case}
    at = f"/accounts/{desk.index.ref(account)}"
    assert inside("Ana").post(f"{at}/note", form).status_code == 409
    assert f'action="{at}/note"' not in inside("Ana").get(at).text
    appealed = {"account": account, "appellant": "Erika M."}
    assert who.post(f"/decisions/{decision.id}/appeal", appealed).status_code == 303
    assert f"/cases/{big_case}" in who.get("/").text, "somebody must hear it"
    page = who.get(f"/cases/{big_case}").text
    assert f'action="/cases/{big_case}/attach"' in page
    assert f'action="/cases/{big_case}/assign"' in inside("Ana").get(f"/cases/{big_case}").text
    assert f'action="/cases/{big_case}/close"' not in page
    given = inside("Ana").post(f"/cases/{big_case}/assign", {"to": "Con"})
    assert given.status_code == 303
    assert send(who, big_case).status_code == 303
    assert inside("Ana").post(f"{at}/note", form).status_code == 303
    verify_book(desk.book)


def test_a_form_without_this_sessions_token_or_from_elsewhere_attaches_nothing(
    desk, inside, big_case
):
    who = inside("Ana")
    file = {"file": ("a.txt", b"x")}
    at = f"/cases/{big_case}/attach"
    assert who.http.post(at, files=file, headers=OURS).status_code == 403
    elsewhere = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert who.http.post(at, files=file, data={"csrf": who.csrf},
                         headers=elsewhere).status_code == 403  # fmt: skip
    assert read_attachments(desk.book, big_case) == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [("multipart/form-data", b"x"), ("multipart/form-data; boundary=b", b"--c\r\n\r\nx"),
     ("multipart/form-data; boundary=b", b"--b\r\ncontent-disposition: form-data\r\n\r\nx\r\n"),
     ("application/x-www-form-urlencoded", b"a=1&" * 3_000)],
)  # fmt: skip
def test_a_broken_form_is_no_form(inside, big_case, kind, body):
    headers = {**OURS, "content-type": kind}
    answer = inside("Ana").http.post(f"/cases/{big_case}/attach", content=body, headers=headers)
    assert answer.status_code == 403


def test_who_attached_cannot_remove_and_what_was_removed_stays_in_the_history(
    desk, inside, big_case
):
    ana, con = inside("Ana"), inside("Con")
    send(ana, big_case)
    (held,) = read_attachments(desk.book, big_case)
    at = f"/attachments/{held.id}/remove"
    assert ana.post(at, {"reason": "wrong file"}).status_code == 403
    assert con.post(at, {"reason": " "}).status_code == 422
    assert con.post(at, {"reason": "wrong case"}).status_code == 303
    assert con.get(f"/attachments/{held.id}").status_code == 422
    said = [e.text for e in read_entries(desk.book, big_case) if e.kind.startswith("attachment")]
    assert [held.digest[:19] in said[1], "wrong case" in said[0]] == [True, True]
    assert "Gone: Con removed it: wrong case" in con.get(f"/cases/{big_case}").text
    verify_book(desk.book)


def test_a_viewer_sees_neither_names_nor_the_history_of_files(desk, inside, big_case):
    send(inside("Ana"), big_case, name="about acct-nobody.txt")
    page = inside("Vi").get(f"/cases/{big_case}").text
    assert "acct-nobody" not in page
    assert "attachment.added" in page


def test_who_took_a_file_is_written_down(desk, inside, big_case):
    send(inside("Ana"), big_case)
    (held,) = read_attachments(desk.book, big_case)
    inside("Apo").get(f"/attachments/{held.id}")
    page = inside("Con").get(f"/reads?subject={held.id}").text
    assert "apo" in page
    assert read_attachment(desk.book, held.id)[1] == b"%PDF-1.7 evidence"
