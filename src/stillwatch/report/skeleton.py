"""Picture 8: a prompt template with its payload masked and its method marks in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stillwatch.report.facts import Campaign, Facts, at, listed, records, said
from stillwatch.report.numbers import count, counted, day, number, parse
from stillwatch.report.svg import El, el

__all__ = ["Frame", "frames_of"]


@dataclass(frozen=True)
class Frame:
    """One template, ready for the page. ``place``: its number among its campaign's, from 1."""

    place: int
    title: str
    where: str
    facts: tuple[tuple[str, str], ...]
    parts: El


def frames_of(facts: Facts, campaign: Campaign, most: int = 3) -> tuple[list[Frame], int]:
    """Return at most ``most`` templates, the widest carried first, and how many are left out."""
    frames = sorted(
        enumerate(facts.frames.get(campaign.campaign_id, []), start=1),
        key=lambda f: (
            not any(p.get("kind") == "text" for p in records(f[1].get("skeleton"))),
            -(number(f[1].get("carriers_inside")) or 0),
            str(f[1].get("first_seen")),
        ),
    )
    return [_frame(campaign, n, f) for n, f in frames[:most]], max(0, len(frames) - most)


def _frame(campaign: Campaign, place: int, frame: dict[str, Any]) -> Frame:
    inside, outside = frame.get("carriers_inside"), frame.get("carriers_outside")
    known = campaign.data.get("member_accounts")  # where the members themselves are kept apart
    members = {said(m.get("account_id")) for m in records(campaign.data.get("members"))}
    total = len(members) if known is None else known
    title = (
        f"{count(inside)} of {counted(total, 'member account')} carry one template; "
        f"outside the campaign {counted(outside, 'account')} {'does' if outside == 1 else 'do'}"
    )
    if not any(p.get("kind") == "text" for p in records(frame.get("skeleton"))):
        title += (
            "; it is one system prompt, and its words stay masked"
            if frame.get("position") == "system"
            else "; its words are not the same for all and stay masked"
        )
    asked = ", ".join(str(m).replace("_", " ") for m in listed(frame.get("asks_for")))
    return Frame(
        place=place,
        title=title,
        where=f"{frame.get('position') or 'template'} of the prompt",
        facts=(
            ("Exchanges with it", count(frame.get("exchanges"))),
            *((("Asks for", asked),) if asked else ()),
            ("First seen", day(parse(frame.get("first_seen")))),
            ("First on", said(frame.get("first_model"), "not recorded")),
            ("First sent by", said(frame.get("first_account"), "not recorded or no member")),
        ),
        parts=el("div", _parts(frame), cls="skeleton", dir="ltr"),
    )


def _parts(frame: dict[str, Any]) -> list[El]:
    marks = sorted(
        (
            (int(m["start"]), int(m["end"]), said(m.get("method"), "method"))
            for m in records(frame.get("marks"))
            if isinstance(m.get("start"), int) and isinstance(m.get("end"), int)
        ),
        key=lambda m: (m[0], m[1], m[2]),
    )
    out: list[El] = []
    offset = 0
    for part in records(frame.get("skeleton")):
        if part.get("kind") == "payload":
            low, high = at(part, "low_tokens"), at(part, "high_tokens")
            size = f" · {_size(low, high)} tokens" if number(low) is not None else ""
            out.append(el("span", f"payload masked{size}", cls="payload"))
            continue
        words = said(part.get("text"))
        out += _marked(words, offset, marks)
        offset += len(words)
    return out


def _size(low: Any, high: Any) -> str:
    return count(low) if low == high else f"{count(low)}–{count(high)}"


def _marked(words: str, offset: int, marks: list[tuple[int, int, str]]) -> list[El]:
    out: list[El] = []
    here = 0
    for start, end, method in marks:
        a, b = max(here, start - offset), min(len(words), end - offset)
        if a >= b:
            continue
        if a > here:
            out.append(_text(words[here:a]))
        label = el("span", method.replace("_", " "), cls="method")
        out.append(el("mark", _text(words[a:b]), label))
        here = b
    if here < len(words):
        out.append(_text(words[here:]))
    return out


def _text(words: str) -> El:
    return El("span", {}, (words,), lines=True)
