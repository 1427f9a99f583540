"""Published campaigns as rows: how many accounts, how many requests, what they asked, how.

Numbers are those of the providers' reports of 2026; where a report leaves a number open, the
comment says what stands in for it. A plan scales accounts and requests by factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["SHAPES", "Shape"]


@dataclass(frozen=True)
class Shape:
    """A campaign as it was published.

    ``accounts`` and ``requests`` (of one account, over ``days``); ``kinds``: of its templates;
    ``frames``: how many templates; ``by``: "item" (one request a prompt), "relay" (its own users'
    conversations), "session" (a whole earlier conversation in one request). ``pivots``: share of
    accounts that change to a new model within a day of its release; ``bans``: waves that close and
    replace accounts; ``phases``: one technique after the other; ``replays``: chance that a request
    carries another account's opaque reasoning; ``copies``: an honest application's template and
    network are copied; ``cheap``: harvests the small model.
    """

    accounts: int
    requests: float
    days: float
    kinds: tuple[str, ...] = ("reason",)
    frames: int = 1
    by: str = "item"
    pivots: float = 0.3
    bans: int = 0
    phases: bool = False
    replays: float = 0.0
    copies: bool = False
    cheap: bool = False


_ALL: Final = ("reason", "instruct", "code", "grade", "critique", "rewrite")

SHAPES: Final[dict[str, Shape]] = {
    # OpenAI 2026-09-30: about 16,000 requests of more than 4,000 users in two days, one family of
    # templates, reasoning blobs replayed into other conversations
    "four_requests": Shape(4_000, 4, 2, ("reason",), 2, replays=0.15),
    # Anthropic 2026-02-23: one proxy with more than 20,000 accounts; 16M exchanges of 24,000
    "hydra": Shape(20_000, 667, 30, ("reason", "code", "instruct"), 6),
    # Anthropic 2026-09-10, GTG-16005: 151M of 3,500 accounts in about 75 days, a fixed injected
    # prompt that forces reasoning into tags
    "injected_prompt": Shape(3_500, 43_000, 75, ("reason",), 1),
    # Anthropic 2026-02-23: more than 150,000 exchanges, the model as reward model; the number of
    # accounts was not published: 300 stand in
    "rubric_grading": Shape(300, 500, 30, ("grade",), 3),
    # Frontier Model Forum 2026-02, methods: critiquing reasoning, writing tasks for training with
    # rewards, synthetic data; sizes are those of the grading campaign
    "critiquing": Shape(300, 500, 30, ("critique",), 3),
    "rl_prompts": Shape(300, 500, 30, ("instruct", "grade"), 4),
    "synthetic_data": Shape(300, 500, 30, ("instruct", "rewrite", "extract"), 5),
    # GTG-16002: 23M of 5,380 accounts; its own users' conversations, relayed without their knowing
    "silent_relay": Shape(5_380, 4_275, 90, ("support",), 1, by="relay", replays=0.3),
    # GTG-16008: more than 400,000 in 20 days, sessions of its own users replayed; accounts open:
    # 200 stand in
    "session_replay": Shape(200, 2_000, 20, ("reason",), 2, by="session"),
    # OpenAI 2026-09-30: encrypted reasoning replayed into other conversations
    "blob_replay": Shape(1_000, 12, 4, ("reason", "code"), 2, replays=0.5),
    # a sweep of 12,000 requests over elicitation techniques; accounts open: 60 stand in
    "technique_sweep": Shape(60, 200, 5, _ALL, 8, phases=True),
    # Anthropic 2026-02-23: 13M; half the traffic moved to a new model within 24 hours; accounts
    # open: 4,000 of the 24,000 stand in
    "pivot": Shape(4_000, 3_250, 30, ("code", "reason"), 4, pivots=0.55),
    # Anthropic 2026-02-23: banned accounts are replaced
    "regrowth": Shape(500, 600, 30, ("reason", "code", "instruct"), 3, bans=3),
    # GTG-16006: 3.4M of 273 accounts in 17 days, cleaning of traces, moved to weaker models
    "trace_cleaning": Shape(273, 12_450, 17, ("rewrite", "critique"), 3, cheap=True),
    # a framing adversary: copies honest applications word for word so that they be accused
    "framing": Shape(100, 45, 7, ("support",), 1, copies=True),
}
