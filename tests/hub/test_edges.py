"""What suites and clients send of which the standard says little: parameters, ranges, cursors."""

from __future__ import annotations

import json

import pytest

TAXII = "application/taxii+json;version=2.1"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (f"{TAXII};charset=utf-8", 200),
        (f"{TAXII} ; q=0.1", 200),
        (f",{TAXII},", 200),
        (f"{TAXII};q=high", 406),
        ("application/taxii+json;version=2.0, application/taxii+json;version=2.1", 200),
        ("application/taxii+json;version=3.0, application/json", 406),
        ("application/stix+json;version=2.1", 406),
        ("taxii", 406),
    ],
)
def test_parameters_of_accept(hub, me, accept, status):
    with hub.client(me, Accept=accept) as client:
        answer = client.get("/api/")
    assert answer.status_code == status
    assert answer.headers["content-type"] == TAXII


def test_a_range_is_not_served_in_part(hub, shelf, me, make_indicator):
    """Of TAXII 2.0 (`Range: items`), and of RFC 9110, section 14.2: a server may ignore either."""
    made = [make_indicator() for _ in range(3)]
    shelf.add(me, *made)
    with hub.client(me) as client:
        for value in ("items 0-0", "bytes=0-10", "items=9-1"):
            answer = client.get(shelf.objects, headers={"Range": value})
            assert answer.status_code == 200
            assert "content-range" not in answer.headers
            assert [one["id"] for one in answer.json()["objects"]] == [one["id"] for one in made]


@pytest.mark.parametrize("digits", ["", ".0", ".000", ".000000"])
def test_added_after_has_any_precision_that_a_timestamp_has(hub, shelf, me, make_indicator, digits):
    shelf.add(me, make_indicator())
    assert len(shelf.ids(me, added_after=f"2016-01-01T00:00:00{digits}Z")) == 1
    assert shelf.ids(me, added_after=f"2099-01-01T00:00:00{digits}Z") == []


def test_a_cursor_goes_on_with_another_limit_and_not_with_another_filter(
    hub, shelf, me, make_indicator
):
    made = [make_indicator() for _ in range(5)]
    shelf.add(me, *made)
    first = shelf.get(me, limit=2).json()
    rest = shelf.get(me, limit=50, next=first["next"]).json()
    assert [one["id"] for one in rest["objects"]] == [one["id"] for one in made[2:]]
    assert rest["more"] is False
    other = shelf.get(me, limit=2, next=first["next"], **{"match[type]": "campaign"})
    assert other.status_code == 400


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_method_that_a_resource_has_not_is_405_and_says_which_it_has(hub, shelf, me, method):
    with hub.client(me) as client:
        answer = client.request(method, shelf.objects)
    assert answer.status_code == 405
    assert {"GET", "POST"} <= {one.strip() for one in answer.headers["allow"].split(",")}
    assert json.loads(answer.content)["http_status"] == "405"
