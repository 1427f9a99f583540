"""A hub under the antitrust rules takes objects of the standard alone, as any client makes them."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import stix2

BY = "identity--8f6e3c0b-52d1-4a7e-9c38-d1b7a4e09f62"


def made(maker, number=50, **fields):
    """Return an object with a fixed id: of random ones 9 in 10,000 are refused."""
    when = datetime.now(UTC) - timedelta(minutes=2)
    own = f"{maker._type}--{uuid.UUID(int=5**number, version=4)}"
    one = maker(id=own, created=when, modified=when, created_by_ref=BY, **fields)
    return json.loads(one.serialize())


def test_what_the_library_makes_is_taken_and_read_back(new_hub, make_shelf):
    server = new_hub(rules="antitrust")
    server.start()
    shelf, login = make_shelf(server), server.login()
    seen = made(stix2.Campaign, name="Model extraction campaign", labels=["distillation"])
    said = made(stix2.Note, content="The template was seen again.", object_refs=[seen["id"]])
    told = shelf.add(login, seen, said)
    assert told["success_count"] == 2, told
    assert set(shelf.ids(login)) == {seen["id"], said["id"]}
    priced = made(stix2.Note, 51, content="The price drops in June.", object_refs=[seen["id"]])
    told = shelf.add(login, priced)
    assert told["success_count"] == 0
    assert "no-commerce" in told["failures"][0]["message"]
