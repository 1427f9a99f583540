"""Colours, and what stands beside them so that colour is never alone.

Okabe and Ito (2008), https://jfly.uni-koeln.de/color/: seven hues that people with any common
colour vision tell apart. A campaign has a hue *and* a hatching *and* a letter; a kind of link a
hue *and* a shape *and* two letters. The hues themselves stand in style.css (light and dark).
"""

from __future__ import annotations

from typing import Final

from stillwatch.report.svg import El, el
from stillwatch.schema import LINK_KINDS

__all__ = [
    "HATCHES",
    "HUES",
    "campaign_letter",
    "fill",
    "kind_code",
    "kind_hue",
    "kind_place",
    "kind_title",
    "pattern_defs",
]

HUES: Final = 7
HATCHES: Final = 4
_CODES: Final = {
    "payment": "Pa",
    "device": "De",
    "phone": "Ph",
    "email": "Em",
    "signup_ip": "Su",
    "exit_prefix": "Ex",
    "client": "Cl",
    "system_prompt": "Sy",
    "tool_schema": "To",
    "frame": "Fr",
    "near_text": "Ne",
    "handoff": "Ha",
    "blob_replay": "Bl",
    "retry": "Re",
    "succession": "Sc",
}
_ORDER: Final = list(LINK_KINDS)


def fill(index: int) -> str:
    """Return the paint of a campaign by its place: 28 combinations before one repeats."""
    return f"url(#h{index % (HUES * HATCHES)})"


def campaign_letter(index: int) -> str:
    """Return A … Z, AA, AB …"""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def kind_code(kind: str) -> str:
    """Return two letters for a kind of link."""
    return _CODES.get(kind, "??")


def kind_hue(kind: str) -> int:
    """Return the hue (0–6) of a kind of link."""
    return _ORDER.index(kind) % HUES if kind in LINK_KINDS else 0


def kind_title(kind: str) -> str:
    """Return what a kind of link means in words."""
    return LINK_KINDS[kind].title if kind in LINK_KINDS else kind


def pattern_defs(wanted: int) -> El:
    """Return the hatchings of the first ``wanted`` campaigns, for one hidden svg on the page."""
    patterns = []
    for index in range(min(wanted, HUES * HATCHES)):
        hue, hatch = index % HUES, index % HATCHES
        marks = {
            0: (),
            1: (el("path", d="M-1 1l2-2M0 6L6 0M5 7l2-2", cls="hatch"),),
            2: (el("circle", cx=3, cy=3, r=1.1, cls="hatch-dot"),),
            3: (el("path", d="M0 3h6", cls="hatch"),),
        }[hatch]
        patterns.append(
            el(
                "pattern",
                el("rect", width=6, height=6, cls=f"f{hue}"),
                list(marks),
                id=f"h{index}",
                width=6,
                height=6,
                patternUnits="userSpaceOnUse",
            )
        )
    return el(
        "svg",
        el("defs", patterns),
        width=0,
        height=0,
        aria_hidden="true",
        focusable="false",
        cls="defs",
    )


def kind_place(kind: str) -> int:
    """Return the place of a kind in the schema's order, which names its CSS class."""
    return _ORDER.index(kind) if kind in LINK_KINDS else len(_ORDER)
