"""Taking a sent file apart is work: everybody else's pages are answered meanwhile."""

from __future__ import annotations

import asyncio
import threading

import httpx

from stillwatch.cases import read_attachments
from stillwatch.console import create_app, receiving

from .test_attached import OURS

_TURNS = 20


def test_pages_are_answered_while_a_file_is_taken_apart(desk, inside, big_case, monkeypatch):
    """The parser waits until others were answered: in the loop it would wait for itself."""
    answered = threading.Event()
    seen: list[bool] = []

    class Slow(receiving._InMemory):
        async def parse(self):
            seen.append(answered.wait(120))
            return await super().parse()

    monkeypatch.setattr(receiving, "_InMemory", Slow)
    who = inside("Ana")

    async def both() -> tuple[int, list[int]]:
        through = httpx.ASGITransport(create_app(desk))
        async with httpx.AsyncClient(
            transport=through, base_url="https://testserver", cookies=dict(who.http.cookies)
        ) as http:
            sending = asyncio.create_task(http.post(
                f"/cases/{big_case}/attach", data={"csrf": who.csrf}, headers=OURS,
                files={"file": ("a.txt", b"x" * 300_000)},
            ))  # fmt: skip
            others = [(await http.get("/password")).status_code for _ in range(_TURNS)]
            answered.set()
            return (await sending).status_code, others

    sent, others = asyncio.run(both())
    assert seen == [True]
    assert others == [200] * _TURNS
    assert sent == 303
    assert len(read_attachments(desk.book, big_case)) == 1
