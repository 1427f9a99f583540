"""Alerts reach real receivers (HTTP, mail, syslog) and survive their absence."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from letters import Letters, mail_server
from standardwebhooks import Webhook as Verifier

from stillwatch.cases import Line
from stillwatch.errors import ConfigError, InputError
from stillwatch.schema import to_micros
from stillwatch.service import Alert, Outbox, read_channels
from stillwatch.service.alerts import case_alerts
from stillwatch.service.journal import Look

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
KEY = base64.b64encode(bytes(range(32))).decode()


def alert(number: int = 1, kind: str = "case.new") -> Alert:
    data = {"case_id": f"case-{number}", "accounts": 40, "methods": ["autograding"], "look": 3}
    return Alert(f"alert_{number:024d}", kind, NOW, f'case-{number}: "new" ] \\ – 40', data)


class Receiver:
    """An HTTP server that answers as it is told and keeps what it got."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        got, answers = self.got, self.answers

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                code = answers.pop(0) if answers else 204
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


@pytest.fixture
def letters() -> Iterator[tuple[Letters, int]]:
    with mail_server() as held:
        yield held


@pytest.fixture
def box(tmp_path: Path) -> Callable[..., Outbox]:
    """Return what opens the outbox of a settings file's text, as if the process began anew."""
    secret = tmp_path / "secret"
    secret.write_text(f"whsec_{KEY}\n")
    secret.chmod(0o600)

    def open_box(text: str) -> Outbox:
        (tmp_path / "alerts.toml").write_text(text)
        return Outbox(tmp_path / "outbox", read_channels(tmp_path / "alerts.toml")[1])

    return open_box


def hook(url: str, more: str = "") -> str:
    return f'[[webhook]]\nurl = "{url}"\nsecret_file = "secret"\n{more}\n'


def mail(port: int, more: str = "") -> str:
    return (
        f'[[email]]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
        f'from = "watch@provider.example"\nto = ["desk@provider.example"]\n{more}\n'
    )


def test_a_webhook_is_signed_so_that_the_standards_own_library_takes_it(receiver, box):
    outbox = box(hook(receiver.url))
    assert outbox.put([alert()], now=datetime.now(UTC)) == 1
    assert outbox.flush(now=datetime.now(UTC)).sent == 1
    headers, body = receiver.got[0]
    held = Verifier(KEY).verify(body, headers)
    assert (held["type"], held["data"]["case_id"]) == ("case.new", "case-1")
    assert headers["webhook-id"] == alert().id
    with pytest.raises(Exception, match="No matching signature"):
        Verifier(KEY).verify(body.replace(b"40", b"41"), headers)


def test_what_a_receiver_does_not_take_comes_again_later_with_the_same_id(receiver, box):
    receiver.answers[:] = [503, 302, 200]
    outbox = box(hook(receiver.url))
    outbox.put([alert()], now=NOW)
    first = outbox.flush(now=NOW)
    assert (first.sent, first.waiting, first.problems) == (0, 1, {"webhook-1": "answer 503"})
    assert outbox.flush(now=NOW + timedelta(seconds=4)).waiting == 1
    assert len(receiver.got) == 1, "it is not tried before its time"
    assert outbox.next_due() == NOW + timedelta(seconds=5)
    assert box(hook(receiver.url)).flush(now=NOW + timedelta(seconds=5)).problems
    assert len(receiver.got) == 2, "a redirect is not followed"
    assert outbox.next_due() == NOW + timedelta(seconds=35)
    assert outbox.flush(now=NOW + timedelta(seconds=35)).sent == 1
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {alert().id}
    assert outbox.put([alert()], now=NOW) == 0, "what was sent is not put in again"


def test_an_alert_outlives_the_process_and_a_receiver_that_is_away(box, receiver):
    receiver.close()
    outbox = box(hook(receiver.url))
    outbox.put([alert()], now=NOW)
    assert outbox.flush(now=NOW).problems["webhook-1"].startswith("no answer")
    again = Receiver()
    try:
        assert box(hook(again.url)).flush(now=NOW + timedelta(minutes=1)).sent == 1
        assert len(again.got) == 1
    finally:
        again.close()
        receiver.__init__()  # the fixture closes it once more


def test_what_nobody_takes_in_three_days_is_given_up_and_kept(receiver, box, tmp_path):
    receiver.answers[:] = [500, 500]
    outbox = box(hook(receiver.url))
    outbox.put([alert()], now=NOW)
    assert outbox.flush(now=NOW).failed == 0
    assert outbox.flush(now=NOW + timedelta(days=3)).failed == 1
    assert [p.name for p in (tmp_path / "outbox" / "failed").iterdir()] == [
        f"{alert().id}.webhook-1.json"
    ]


def test_a_receiver_that_is_gone_for_good_is_not_asked_again(receiver, box):
    receiver.answers[:] = [410]
    outbox = box(hook(receiver.url))
    outbox.put([alert()], now=NOW)
    flushed = outbox.flush(now=NOW)
    assert (flushed.failed, flushed.waiting) == (1, 0)


def test_one_channel_that_fails_keeps_no_other_back(receiver, box, letters):
    kept, port = letters
    receiver.answers[:] = [500]
    outbox = box(hook(receiver.url) + mail(port))
    outbox.put([alert(1), alert(2)], now=NOW)
    flushed = outbox.flush(now=NOW)
    assert (flushed.sent, flushed.waiting, len(receiver.got), len(kept.got)) == (2, 2, 1, 1)


def test_a_mail_server_gets_one_letter_of_what_is_due_together(box, letters):
    kept, port = letters
    outbox = box(mail(port))
    outbox.put([alert(1), alert(2)], now=NOW)
    assert outbox.flush(now=NOW).sent == 2
    letter = message_from_bytes(kept.got[0].content, policy=default)
    assert kept.got[0].rcpt_tos == ["desk@provider.example"]
    assert letter["Subject"] == "[stillwatch] 2 alerts"
    assert letter["Auto-Submitted"] == "auto-generated"
    text = letter.get_content()
    assert "case-1" in text
    assert "case-2" in text


def test_a_mail_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(box, letters):
    kept, port = letters
    kept.answers[:] = ["451 later", "250 OK", "554 no"]
    outbox = box(mail(port))
    outbox.put([alert(1)], now=NOW)
    assert outbox.flush(now=NOW).problems == {"email-1": "the server says 451"}
    assert outbox.flush(now=NOW + timedelta(minutes=1)).sent == 1
    outbox.put([alert(2)], now=NOW)
    assert outbox.flush(now=NOW + timedelta(minutes=1)).failed == 1


def test_quiet_hours_hold_a_letter_and_not_the_webhook(receiver, box, letters):
    kept, port = letters
    outbox = box(hook(receiver.url) + mail(port, 'quiet = "11:00-14:00"'))
    outbox.put([alert()], now=NOW)
    assert outbox.flush(now=NOW).sent == 1
    assert (len(receiver.got), len(kept.got)) == (1, 0)
    assert outbox.next_due() == NOW + timedelta(hours=2)
    assert outbox.flush(now=NOW + timedelta(hours=2)).sent == 1
    assert len(kept.got) == 1


def test_a_digest_comes_once_a_day_with_all(box, letters):
    kept, port = letters
    outbox = box(mail(port, 'digest = "08:00"'))
    for number in range(3):
        outbox.put([alert(number)], now=NOW + timedelta(hours=number))
    assert outbox.flush(now=NOW + timedelta(hours=19)).sent == 0
    assert outbox.flush(now=NOW + timedelta(hours=20)).sent == 3
    assert len(kept.got) == 1


def test_a_channel_hears_only_of_the_kinds_it_asked_for(receiver, box):
    outbox = box(hook(receiver.url, 'kinds = ["look.failed"]'))
    assert outbox.put([alert(1), alert(2, "look.failed")], now=NOW) == 1


def parsed(message: bytes) -> tuple[str, dict[str, str], str]:
    """Read a message by the grammar of RFC 5424, section 6, as a collector does."""
    head, rest = message.split(b" [", 1)
    values: dict[str, str] = {}
    name = value = ""
    inside = False
    k = rest.index(b" ") + 1
    text = rest.decode()
    while text[k] != "]" or inside:
        c = text[k]
        if inside and c == "\\":
            k += 1
            value += text[k]
        elif c == '"':
            if inside:
                values[name.strip()] = value
                name = value = ""
            inside = not inside
        elif inside:
            value += c
        elif c != "=":
            name += c
        k += 1
    body = rest[k + 1 :]
    assert body.startswith(b" \xef\xbb\xbf")
    return head.decode(), values, body[4:].decode()


def test_syslog_over_udp_is_rfc_5424(box):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(120)
        outbox = box(f'[[syslog]]\naddress = "udp://127.0.0.1:{collector.getsockname()[1]}"\n')
        outbox.put([alert()], now=NOW)
        assert outbox.flush(now=NOW).sent == 1
        head, values, said = parsed(collector.recv(65_536))
    priority, stamp, host, app, process, kind = head.split(" ")
    assert (priority, stamp, app, kind) == (
        "<108>1", "2026-03-02T12:00:00.000000Z", "stillwatch", "case.new"
    )  # fmt: skip
    assert host
    assert process.isdecimal()
    assert values == {"id": alert().id, "case_id": "case-1", "accounts": "40", "look": "3"}
    assert said == alert().title


def test_syslog_over_tcp_counts_octets(box):
    with socket.create_server(("127.0.0.1", 0)) as collector:
        collector.settimeout(120)
        outbox = box(f'[[syslog]]\naddress = "tcp://127.0.0.1:{collector.getsockname()[1]}"\n')
        outbox.put([alert(1), alert(2)], now=NOW)
        assert outbox.flush(now=NOW).sent == 2
        streams = []
        for _ in range(2):
            taken, _ = collector.accept()
            with taken:
                streams.append(taken.makefile("rb").read())
    for stream in streams:
        count, message = stream.split(b" ", 1)
        assert len(message) == int(count)
        assert parsed(message)[1]["accounts"] == "40"


def test_a_collector_that_is_away_is_asked_again(box, tmp_path):
    outbox = box(f'[[syslog]]\naddress = "unix://{tmp_path}/nobody"\n')
    outbox.put([alert()], now=NOW)
    assert outbox.flush(now=NOW).waiting == 1


def test_settings_without_errors_are_read(box, tmp_path, receiver):
    box('console = "https://console.example"\n' + hook(receiver.url, 'name = "siem"'))
    console, channels = read_channels(tmp_path / "alerts.toml")
    assert console == "https://console.example"
    assert [channel.name for channel in channels] == ["siem"]
    assert KEY not in repr(channels)


@pytest.mark.parametrize(
    "text, said",
    [
        ("colour = 1", "unknown: colour"),
        ("[webhook]\nurl = 'https://a.example'", r"expected \[\[webhook\]\]"),
        ("[[webhook]]\nurl = 'https://a.example'", "lacks secret_file"),
        ("[[webhook]]\nurl = 'http://a.example'\nsecret_file = 'secret'", "expected an https"),
        ("[[webhook]]\nurl = 'https://a.example'\nsecret_file = 'secret'\nkinds = ['all']",
         "no kind of alert: all"),
        ("[[webhook]]\nurl = 'https://a.example'\nsecret_file = 'open'", "others may read"),
        ("[[webhook]]\nurl = 'https://a.example'\nsecret_file = 'short'", "no secret"),
        ("[[email]]\nhost = 'a'\nfrom = 'a@b.example'\nto = []", "nobody"),
        ("[[email]]\nhost = 'a'\nfrom = 'nobody here'\nto = ['a@b.example']", "not an address"),
        ("[[email]]\nhost = 'a'\nfrom = 'a@b.example'\nto = ['@b.example']", "not an address"),
        ("[[email]]\nhost = 'a'\nfrom = 'a@b.example'\nto = ['a@b.example']\nuser = 'u'\n"
         "security = 'none'", "unencrypted"),
        ("[[email]]\nhost = 'a'\nfrom = 'a@b.example'\nto = ['a@b.example']\nport = '25'",
         "wrong type"),
        ("[[syslog]]\naddress = 'http://a.example'", "expected udp"),
        ("[[syslog]]\naddress = 'udp://a'\nname = 'a/../b'", "letters, digits"),
        ("[[syslog]]\naddress = 'udp://a'\nname = 'a'\n[[syslog]]\naddress = 'udp://b'\n"
         "name = 'a'", "one name"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_settings_is_named(box, tmp_path, text, said):
    for name, content, mode in (("open", KEY, 0o644), ("short", "YWJj", 0o600)):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(mode)
    with pytest.raises(ConfigError, match=said):
        box(text)


def test_a_damaged_alert_is_named_and_not_dropped(box, tmp_path, receiver):
    outbox = box(hook(receiver.url))
    outbox.put([alert()], now=NOW)
    (waiting,) = (tmp_path / "outbox" / "waiting").iterdir()
    waiting.write_bytes(waiting.read_bytes()[:20])
    with pytest.raises(InputError, match="damaged"):
        outbox.flush(now=NOW)
    assert waiting.exists()


def test_a_refusal_by_ownership_is_no_new_campaign() -> None:
    seen = Line("case-1", "c-1", "open", NOW, NOW, "new", None, None, None, 3, 2, None, None, 0, 0,
                None, "new")  # fmt: skip
    owned = replace(seen, case_id="case-2", campaign_id="ownership-1", accused=0, kind="ownership")
    look = Look(1, 0, to_micros(NOW), "scanned", scanned_us=to_micros(NOW))
    run: Any = SimpleNamespace(campaigns=[])
    made = case_alerts([seen, owned], run, look, console="")
    assert [one.data["case_id"] for one in made] == ["case-1"]


def test_bodies_are_json_in_one_order() -> None:
    held: Sequence[Any] = list(json.loads(alert().body()))
    assert held == ["data", "timestamp", "type"]
