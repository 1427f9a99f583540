"""A skeleton shows what all texts share, the same with the C kernel and without."""

from __future__ import annotations

import sys

import pytest

from stillwatch.kernel import skeleton

TEXTS = [
    f"Rate the following answer: {payload} Give a score from 1 to {n}, nothing else."
    for n, payload in enumerate(
        ("Ελλάδα, 12 years", "我们去学校", "the cat sat", "ein Haus – größer als 3 m", ""), 5
    )
]


def shown(parts: list[dict[str, object]]) -> list[object]:
    return [
        p["text"] if p["kind"] == "text" else (p["low_tokens"], p["high_tokens"]) for p in parts
    ]


def test_what_all_share_is_shown_and_the_rest_counted() -> None:
    assert shown(skeleton(TEXTS)) == [
        "Rate the following answer", (0, 6), "Give a score from 1 to 5, nothing else.",
    ]  # fmt: skip
    assert shown(skeleton(TEXTS[:2])) == [(16, 18)]  # two texts show nothing
    assert shown(skeleton([TEXTS[0]] * 4)) == [(16, 16)]  # nor does one and the same


def test_the_reference_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = skeleton(TEXTS)
    module = sys.modules["stillwatch.kernel.skeleton"]  # the room exports its function by that name
    monkeypatch.setattr(module, "native", lambda: None)
    assert skeleton(TEXTS) == fast
