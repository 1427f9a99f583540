"""The ladder of hiding: what a campaign gives up, rung by rung, to look like strangers.

A rung is a row of `LADDER`; shares are of accounts or of requests, as named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["LADDER", "Hiding"]


@dataclass(frozen=True)
class Hiding:
    """How a campaign hides.

    Of its accounts: ``aged`` bought with a past; ``burst`` made within hours of others; ``late``
    join after the start; ``cards`` pay with a shared card; ``pooled`` leave through shared
    prefixes; ``tools`` use the operator's one set of clients; ``spread``: log-normal sigma of
    volumes; ``posed``: dress as an honest family (system prompt, turns, settings).
    Of its requests: ``human``: on the account's own clock, else dealt by one dispatcher in jittered
    turns; ``side``: honest side traffic; ``missing``: no template; ``paraphrased``: one of
    thousands of openings. The rest has the campaign's templates, or one of the account's own where
    ``own_frames``. ``slice``: share of the topics of one account, 1 is all. ``hops``: chance that a
    relayed conversation changes accounts at a turn. ``moves``: chance that a request refused by a
    ban is sent again through another account.
    """

    aged: float
    burst: float
    late: float
    cards: float
    pooled: float
    tools: float
    spread: float
    posed: float
    human: bool
    side: float
    missing: float
    paraphrased: float
    own_frames: bool
    slice: float
    hops: float
    moves: float


LADDER: Final[dict[int, Hiding]] = {
    # as published: made together, even volumes, one dispatcher, one template
    1: Hiding(0.20, 0.70, 0.00, 0.40, 0.90, 0.8, 0.25, 0.0, False, 0.02, 0.00, 0.00, False, 1.0,
              1.00, 0.6),
    # aged accounts, uneven volumes, late joiners
    2: Hiding(0.90, 0.00, 0.45, 0.35, 0.70, 0.5, 0.95, 0.8, False, 0.05, 0.00, 0.00, False, 1.0,
              0.80, 0.6),
    # own client, network, payment and human clock for each account
    3: Hiding(0.95, 0.00, 0.45, 0.00, 0.00, 0.0, 0.95, 0.9, True, 0.08, 0.00, 0.00, False, 1.0,
              0.45, 0.4),
    # honest side traffic in every account, paraphrased and missing frames
    4: Hiding(0.95, 0.00, 0.45, 0.00, 0.00, 0.0, 1.00, 1.0, True, 0.45, 0.35, 0.55, False, 1.0,
              0.25, 0.2),
    # reads this project's source: templates of its own for every account, its own topics, chaff
    # from the same texts as honest people, ramps and nights, no retry after a ban
    5: Hiding(0.97, 0.00, 0.60, 0.00, 0.00, 0.0, 1.00, 1.0, True, 0.60, 0.40, 0.20, True, 0.06,
              0.08, 0.0),
}  # fmt: skip
