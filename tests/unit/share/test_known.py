"""A campaign whose derived id spells by chance is sighted, judged and pulled like any other."""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from stillwatch.errors import ConfigError, ShareRefused
from stillwatch.seal import new_key, read_private_key
from stillwatch.share import content as make
from stillwatch.share.antitrust import normal
from stillwatch.share.client import (
    open_home,
    opine,
    packages,
    prepare,
    pull,
    release,
    review,
    sight,
    start_home,
)
from stillwatch.share.commercial import messages

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
OTHER = "identity--7a41c9e2-5d08-4b3f-9c16-2e8f70b1d3a4"
CHOSEN = f"campaign--{uuid.UUID(bytes=b'price 12 USD now', version=5)}"


@pytest.fixture
def home(tmp_path):
    path = tmp_path / "share"
    start_home(path, contributor=uuid.UUID("2c1f2e4a-9b7d-4e3f-8a65-1d0c9b8e7f6a"))
    with (path / "share.toml").open("a") as file:
        for name in ("alice", "bob"):
            new_key(path / "keys" / name)
            file.write(f'[people.{name}]\nkey = "keys/{name}.pub"\n')
        file.write(
            '[[legal_basis]]\nname = "n"\nsource = "s"\nsince = 2026-01-01\n'
            'until = 2027-01-01\nreviewed_by = "c"\npurposes = ["detection", "correction"]\n'
        )
    return open_home(path)


@pytest.fixture(scope="module")
def seen():
    claim = {"confidence": 0.9, "evidence": []}
    line = {
        "standing": "accused", "first_seen": "2026-11-16T03:00:00Z", "accounts": 41,
        "last_seen": "2026-11-20T17:00:00Z", "exchanges": 900, "methods": [],
        "claims": {"coordinated": claim, "extractive": claim},
    }  # fmt: skip
    for number in range(100_000):
        handle = hashlib.sha256(b"%d" % number).hexdigest()[:12]
        made = make.campaign({**line, "campaign_id": f"c-{handle}"}, by=OTHER, modified=NOW)
        if messages(made["id"].split("--")[1].replace("-", "")):
            return normal(made)
    raise AssertionError("one in 1,100 does")


class Hub:
    """Serves pages as they are given."""

    def __init__(self, *served):
        self.served = served

    def objects(self, *, purpose, added_after):
        for number, page in enumerate(self.served):
            yield list(page), f"2026-11-27T00:00:0{number}.000000Z"


def opinion(about):
    return normal(make.opinion(about["id"], "agree", by=OTHER, created=NOW - timedelta(hours=1)))


def held(home):
    return {one["id"] for one in json.loads((home.pulled / "objects.json").read_bytes())}


def test_what_was_pulled_may_be_told_of(home, seen):
    with pytest.raises(ShareRefused, match="plain-ids"):
        opine(home, seen["id"], "agree", now=NOW)
    assert pull(home, Hub([seen]), purpose="detection", now=NOW).received == 1
    opine(home, seen["id"], "agree", now=NOW)
    day = datetime(2026, 11, 20, tzinfo=UTC)
    sight(home, seen["id"], 5, day, NOW, now=NOW, rng=random.Random(3))
    with pytest.raises(ShareRefused, match="plain-ids"):
        opine(home, CHOSEN, "agree", now=NOW)
    for package in packages(home):
        for step, name in ((review, "alice"), (release, "bob")):
            step(home, package, name, read_private_key(home.path / "keys" / name), now=NOW)


def test_what_one_sends_may_refer_to_what_goes_with_it_or_went_before(home, seen):
    said = opinion(seen)
    both = prepare(home, [seen, said], "detection", now=NOW)
    assert {one["id"] for one in both.objects} >= {seen["id"], said["id"]}
    later = normal(make.opinion(seen["id"], "neutral", by=OTHER, created=NOW))
    after = prepare(home, [later], "detection", now=NOW)
    assert {one["id"] for one in after.objects if one["type"] == "opinion"} == {later["id"]}


@pytest.mark.parametrize("later", [False, True])
def test_a_pull_keeps_what_refers_to_the_same_page_or_a_later_one(home, seen, later):
    said = opinion(seen)
    pages = ([said], [seen]) if later else ([said, seen],)
    got = pull(home, Hub(*pages), purpose="detection", now=NOW)
    assert (got.received, got.refused) == (2, 0)
    assert held(home) == {seen["id"], said["id"]}


def test_a_pull_drops_what_refers_to_nothing_and_what_is_no_object(home, seen):
    got = pull(home, Hub([opinion(seen), 7, "x", {}], [opinion({"id": CHOSEN})]),
               purpose="detection", now=NOW)  # fmt: skip
    assert (got.received, got.refused) == (0, 5)
    assert held(home) == set()


@pytest.mark.parametrize("name", ["objects.json", "cursor.json"])
@pytest.mark.parametrize("text", ["", "{", "7", "[1]", '{"a": 1}'])
def test_a_damaged_file_of_a_pull_is_named_with_what_to_do(home, seen, name, text):
    pull(home, Hub([seen]), purpose="detection", now=NOW)
    (home.pulled / name).write_text(text)
    with pytest.raises(ConfigError, match="is damaged") as told:
        pull(home, Hub([seen]), purpose="detection", now=NOW)
    assert name in str(told.value)
    assert "fetches everything anew" in str(told.value.hint)


@pytest.mark.parametrize("step", [1, -1])
def test_the_later_version_is_kept_whatever_its_digits(home, step):
    """As text a time of "00Z" is larger than one of "00.500Z", which was half a second later."""
    first = {
        "type": "campaign", "spec_version": "2.1", "name": "Model extraction",
        "id": f"campaign--{uuid.UUID(int=5**50, version=4)}", "created_by_ref": OTHER,
        "created": "2026-11-27T11:00:00Z", "modified": "2026-11-27T11:00:00Z",
    }  # fmt: skip
    gone = first | {"modified": "2026-11-27T11:00:00.500Z", "revoked": True}
    assert max(first["modified"], gone["modified"]) == first["modified"]
    done = pull(home, Hub([first, gone][::step]), purpose="detection", now=NOW)
    assert (done.received, done.refused) == (2, 0)
    assert json.loads((home.pulled / "objects.json").read_bytes()) == [gone]
