"""Status resources: what an envelope's submitter is told of it (TAXII 2.1, section 4.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.share.hub.members import Member
from stillwatch.share.hub.tables import SUBMISSION
from stillwatch.share.hub.times import timestamp

__all__ = ["detail", "failed_resource", "finish", "pending_resource", "read_status", "resource"]


class Detailed(Protocol):
    """An object of an envelope, as far as its status names it."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def version_text(self) -> str | None:
        """Its version; None: STIX gives it none, and the time of the request stands for it."""


def pending_resource(identifier: str, received: int, objects: Sequence[Detailed]) -> str:
    """Return the status resource of an envelope that is not worked off yet (section 4.3.1)."""
    pendings = [detail(one, received) for one in objects]
    return resource(identifier, received, "pending", pendings=pendings)


def failed_resource(pending: str, why: str = "Unable to process object.") -> str:
    """Return the final status of an envelope of which nothing was added, for a reason."""
    told = json.loads(pending)
    failures = [{**one, "message": why} for one in told["pendings"]]
    made = json.loads(resource(told["id"], 0, "complete", failures=failures))
    return json.dumps({**made, "request_timestamp": told["request_timestamp"]}, ensure_ascii=False)


def detail(one: Detailed, at: int) -> dict[str, str]:
    return {"id": one.id, "version": one.version_text or timestamp(at)}


def resource(
    identifier: str, received: int, status: str, **lists: Sequence[Mapping[str, str]]
) -> str:
    counts = {"success": "successes", "failure": "failures", "pending": "pendings"}
    made: dict[str, Any] = {
        "id": identifier,
        "status": status,
        "request_timestamp": timestamp(received),
        "total_count": sum(len(lists.get(name, ())) for name in counts.values()),
    }
    for one, several in counts.items():
        found = lists.get(several, ())
        made[f"{one}_count"] = len(found)
        if found:
            made[several] = list(found)
    return json.dumps(made, ensure_ascii=False)


async def finish(connection: AsyncConnection, identifier: str, told: str, now: int) -> None:
    """Write a submission's final status; its body goes."""
    await connection.execute(
        update(SUBMISSION)
        .where(SUBMISSION.c.id == identifier)
        .values(resource=told, finished=now, body=None)
    )


async def read_status(
    connection: AsyncConnection, root: int, identifier: str, member: Member
) -> Row[Any] | None:
    """Return the submission of an id, if it is this member's, or the member sees all."""
    query = select(SUBMISSION).where(SUBMISSION.c.id == identifier, SUBMISSION.c.root == root)
    if not member.sees_all:
        query = query.where(SUBMISSION.c.member == member.pk)
    return (await connection.execute(query)).first()
