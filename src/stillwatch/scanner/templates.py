"""The second pass over the input: template skeletons of the campaigns, payload masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.campaigns import Judgement, Template, templates_of
from stillwatch.kernel import method_spans, skeleton
from stillwatch.runners import LocalRunner
from stillwatch.scanner.feed import READ_AGAIN, Feed
from stillwatch.schema import STAGES, write_whole

__all__ = ["methods_in_words", "write_frames"]

_CARRIED: Final = 0.2
_MOST_CHARS: Final = 20_000


def write_frames(
    runner: LocalRunner, run_dir: Path, judgement: Judgement, feed: Feed
) -> list[dict[str, Any]]:
    """Write stages/frames.jsonl and return its lines: words that all sampled organizations sent.

    Where the input cannot be read twice (standard input, a log that is gone) counts stand alone.
    """
    templates = templates_of(runner, judgement.campaigns)
    wanted = sorted({i for t in templates for i in t.exchange_ids})
    texts = _texts(feed, wanted) if wanted else {}
    lines = [_line(t, texts) for t in templates]
    path = run_dir / STAGES / "frames.jsonl"
    write_whole(path, b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return lines


def methods_in_words(line: dict[str, Any], frames: Sequence[dict[str, Any]]) -> list[str]:
    """Return a campaign's methods: those its exchanges hint at, then those its templates ask for.

    A template counts where a fifth of the campaign's accounts and more send it. What it asks for
    describes the campaign; claims, permits and standings were decided without it.
    """
    found = Counter(
        method
        for frame in frames
        if frame["campaign_id"] == line["campaign_id"]
        and frame["carriers_inside"] >= _CARRIED * max(line["accounts"], 1)
        for method in frame["asks_for"]
    )
    known = list(line["methods"])
    return known + [name for name in sorted(found, key=lambda k: (-found[k], k))
                    if name not in known]  # fmt: skip


def _line(template: Template, texts: dict[str, dict[str, str]]) -> dict[str, Any]:
    found = [texts[i][template.position] for i in template.exchange_ids if i in texts]
    parts = skeleton(found) if found else []
    said = "".join(p["text"] for p in parts if p["kind"] == "text")
    marks = method_spans(said)
    return {
        "campaign_id": template.campaign_id,
        "position": template.position,
        "length": template.length,
        "hash": f"{template.hash:016x}",
        "skeleton": parts,
        "carriers_inside": template.carriers_inside,
        "carriers_outside": template.carriers_outside,
        "exchanges": template.exchanges,
        "first_seen": template.first_seen,
        "first_model": template.first_model,
        "first_account": template.first_account,
        "marks": [{"start": start, "end": end, "method": method} for start, end, method in marks],
        "asks_for": sorted({method for *_, method in marks} | _unshown(template, found)),
    }


def _unshown(template: Template, found: list[str]) -> set[str]:
    """Return the methods that a system prompt asks for; its words stay masked, being one text."""
    if template.position != "system" or not found:
        return set()
    return set.intersection(
        *({method for *_, method in method_spans(text[:_MOST_CHARS])} for text in set(found))
    )


def _texts(feed: Feed, wanted: list[str]) -> dict[str, dict[str, str]]:
    """Return system, first and last user text of each wanted exchange, its first row by time."""
    ids = pa.array(wanted)
    found: dict[str, tuple[Any, dict[str, str]]] = {}
    for batch in feed.texts(wanted):
        rows = batch.filter(pc.is_in(batch.column("exchange_id"), value_set=ids))
        columns = (rows.column(name).to_pylist() for name in READ_AGAIN)
        for exchange_id, ts, messages in zip(*columns, strict=True):
            said = _said(messages)
            if exchange_id not in found or _order(ts, said) < _order(*found[exchange_id]):
                found[exchange_id] = ts, said
    return {exchange_id: said for exchange_id, (_, said) in found.items()}


def _order(ts: Any, said: dict[str, str]) -> tuple[Any, ...]:
    return ts, sorted(said.items())


def _said(messages: list[dict[str, Any]] | None) -> dict[str, str]:
    said = [m for m in messages or [] if m and m["content"]]
    user = [m["content"] for m in said if m["role"] == "user"]
    return {
        "system": "\n".join(m["content"] for m in said if m["role"] in ("system", "developer")),
        "head": user[0] if user else "",
        "tail": user[-1] if user else "",
    }
