"""Sends a released package. What was sent is noted batch by batch, so a send can be repeated."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import Any, Final

from stillwatch.seal import digest
from stillwatch.share.client.home import Home, stamp
from stillwatch.share.client.packages import RECEIPTS, Package
from stillwatch.share.client.release import check_release
from stillwatch.share.client.taxii import Collection
from stillwatch.share.shape import read_time, version_of

__all__ = ["send"]

_BATCH: Final = 100


def send(home: Home, package: Package, hub: Collection, *, now: datetime) -> dict[str, int]:
    """Send what the hub has not taken yet, and return how many it took, refused, or keeps pending.

    Repeating it sends nothing twice; a hub takes the same version twice without harm.

    Raises:
        ShareRefused: the package may not leave now.
        InputError: the hub cannot be reached; what it took until then is noted.
    """
    check_release(home, package, now=now)
    done = package.receipts()
    waiting = [one for one in package.objects if done.get(_key(one)) != "success"]
    for start in range(0, len(waiting), _BATCH):
        batch = waiting[start : start + _BATCH]
        answers = hub.add(batch)
        rows = []
        for one in batch:
            status, message = _answer(answers, one)
            if status == "failure" and hub.holds(*_key(one)):
                # some servers call it a failure that they have the object (medallion 3.0.0)
                status, message = "success", "was there already"
            done[_key(one)] = status
            rows.append({"id": one["id"], "version": _key(one)[1], "status": status,
                         "message": message[:200], "at": stamp(now)})  # fmt: skip
        _note(package, rows)
        with home.ledger() as ledger:
            ledger.record({"what": "sent", "at": stamp(now), "package": package.digest,
                           "objects": [row["id"] for row in rows], "digest": digest(batch),
                           "refused": sum(row["status"] == "failure" for row in rows)})  # fmt: skip
    words = list(done.values())
    return {name: words.count(name) for name in ("success", "failure", "pending")}


def _answer(
    answers: dict[tuple[str, str], tuple[str, str]], one: dict[str, Any]
) -> tuple[str, str]:
    """Return what the hub said of an object; an object without versions is found by its id alone.

    A version is a time, which a hub may write with other digits than its sender.

    An answer that lists no object (TAXII 2.1, 4.1.1 allows that) counts for all of them as it is
    complete; one that lists others and not this leaves it pending, to be sent once more.
    """
    if not answers:
        return "success", ""
    if _key(one) in answers:
        return answers[_key(one)]
    same = [
        answer for (name, version), answer in answers.items()
        if name == one["id"] and ("modified" not in one or read_time(version) == version_of(one))
    ]  # fmt: skip
    return same[0] if same else ("pending", "")


def _key(one: dict[str, Any]) -> tuple[str, str]:
    """Return id and version: `modified`, or `created` where there is none (TAXII 2.1, 3.4.1)."""
    return one["id"], one.get("modified", one.get("created", ""))


def _note(package: Package, rows: list[dict[str, Any]]) -> None:
    with (package.path / RECEIPTS).open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))
        file.flush()
        os.fsync(file.fileno())
