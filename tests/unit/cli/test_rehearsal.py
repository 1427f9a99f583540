"""What a rehearsal tells the guard of requests that it did not refuse."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from stillwatch.cli import rehearsal


@pytest.mark.parametrize(
    ("verdict", "answered", "touched"),
    [("watch", 1, 0), ("summarize", 1, 1), ("throttle", 0, 1), ("deny", 0, 1)],
)
def test_what_is_answered_in_summary_is_observed(monkeypatch, verdict, answered, touched):
    """Its continuation from elsewhere is a handoff, in a rehearsal as in service."""
    seen: list[object] = []
    guard = SimpleNamespace(
        decide=lambda _: SimpleNamespace(verdict=verdict, level="member"),
        observe=lambda request, **_: seen.append(request),
    )
    monkeypatch.setattr(rehearsal, "request_of_row", lambda row: row["account_id"])
    row = {"account_id": "a", "org": "o", "output_tokens": 5, "micro_usd": 1, "status": "ok",
           "prefix_full": 7, "h_blob": 0}  # fmt: skip
    found = rehearsal._played(guard, [row])  # type: ignore[arg-type]
    assert len(seen) == answered
    assert found.accused.exchanges == touched
