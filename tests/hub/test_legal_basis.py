"""A hub with a legal basis of its own fails closed once it has run out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stillwatch.errors import ConfigError
from stillwatch.share.hub.hub import Hub, lapsed
from stillwatch.share.hub.settings import read_key, read_settings
from stillwatch.share.hub.structure import Rules
from stillwatch.share.legal import legal_bases

BASIS = """
[[legal_basis]]
name = "statement"
source = "counsel"
since = {since}
until = {until}
reviewed_by = "counsel"
purposes = {purposes}
"""


def basis(days, purposes='["detection", "correction"]'):
    """Return a table of a basis that ends so many days from today."""
    today = datetime.now(UTC).date()
    since = today + timedelta(days=min(days, 0) - 100)
    return BASIS.format(since=since, until=today + timedelta(days=days), purposes=purposes)


@pytest.fixture
def desk(new_hub, make_shelf):
    def make(settings):
        server = new_hub(settings=settings)
        server.start()
        return make_shelf(server)

    return make


def test_while_it_is_in_force_all_goes_on(desk, make_indicator):
    shelf = desk(basis(30))
    one = make_indicator()
    login = shelf.server.login()
    assert shelf.add(login, one)["success_count"] == 1
    assert shelf.ids(login) == [one["id"]]


def test_once_it_has_run_out_nothing_is_accepted_read_or_matched(desk, make_indicator):
    shelf = desk(basis(-1))
    login = shelf.server.login()
    status = shelf.add(login, make_indicator())
    assert status["success_count"] == 0
    assert "legal-basis" in status["failures"][0]["message"]
    for path in ("objects/", "manifest/"):
        answered = shelf.get(login, path)
        assert answered.status_code == 403
        assert "legal-basis" in answered.text
    with shelf.server.client(login) as client:
        assert client.post("/match/", content=b"{}").status_code == 403
        assert client.post("/match/candidates/", content=b"{}").status_code == 403
    assert shelf.get(login, "corrections/").status_code == 200, "corrections travel all the same"


def test_a_basis_for_corrections_alone_takes_corrections_alone(desk, make_indicator):
    shelf = desk(basis(30, '["correction"]'))
    login = shelf.server.login()
    assert shelf.add(login, make_indicator())["success_count"] == 0
    assert shelf.add(login, make_indicator(revoked=True))["success_count"] == 1
    assert shelf.get(login, "objects/").status_code == 403
    with shelf.server.client(login, **{"X-Stillwatch-Purpose": "correction"}) as client:
        told = client.get(shelf.get(login, "objects/").url.path)
    assert told.status_code == 200


def test_a_hub_with_a_basis_that_is_none_does_not_start(new_hub):
    home = new_hub(
        settings=BASIS.format(since="2020-01-01", until="2026-01-01", purposes='["x"]')
    ).home
    settings = read_settings(home)
    with pytest.raises(ConfigError, match="400 days"):
        Hub.of(
            settings, read_key(home), rules=Rules(), record=None, clock=lambda: datetime.now(UTC)
        )


def test_a_lapse_is_judged_by_the_purpose():
    rows = [{"name": "n", "source": "s", "since": "2026-01-01T00:00:00Z", "reviewed_by": "c",
             "until": "2026-12-01T00:00:00Z", "purposes": ["detection"]}]  # fmt: skip
    bases, now = legal_bases(rows), datetime(2026, 11, 30, tzinfo=UTC)
    assert lapsed(bases, "detection", now) == ()
    assert lapsed(bases, "measurement", now)
    assert lapsed(bases, "detection", datetime(2026, 12, 1, tzinfo=UTC))
    assert lapsed((), "detection", now) == ()
