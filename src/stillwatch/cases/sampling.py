"""A random sample of all accounts for an audit, and what its labels say about the error rates.

Accusations are checked where they were made, but the accounts that were missed are among those that
nobody looked at. So every account has a chance to be drawn, and the chances are written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.errors import ConfigError, SchemaError
from stillwatch.schema import STANDINGS

__all__ = ["Design", "ErrorRates", "Rate", "Stratum", "draw_sample", "estimate_rates"]

# How the sample is shared out: half to where false accusations are, a good part to where the
# missed ones are. The estimate is right for any shares, only its width depends on them.
_SHARES: Final = {"accused": 5, "watch": 2, "clear": 2, "permitted": 1}
LABELS: Final = ("yes", "no", "unsure")


@dataclass(frozen=True)
class Stratum:
    """Accounts of one standing: how many there are, and which were drawn, each with probability
    ``len(drawn) / size``."""

    standing: str
    size: int
    drawn: tuple[str, ...]

    @property
    def inclusion_probability(self) -> float:
        """Return the chance that each of its accounts had to be drawn."""
        return len(self.drawn) / self.size


@dataclass(frozen=True)
class Design:
    """How the sample was drawn. ``order``: all drawn accounts, shuffled over the strata, so that
    whoever labels them does not see what the program thinks."""

    seed: int
    strata: tuple[Stratum, ...]
    order: tuple[str, ...]


@dataclass(frozen=True)
class Rate:
    """An estimate with an interval that covers at least ``level`` of the time; NaN: no answer."""

    estimate: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class ErrorRates:
    """``false_accusation``: of all honest accounts, the share accused. ``false_discovery``: of all
    accused, the share honest. ``missed``: of all that distil, the share not accused."""

    false_accusation: Rate
    false_discovery: Rate
    missed: Rate
    labelled: int
    unsure: int


def draw_sample(standing_of: Mapping[str, str], size: int, *, seed: int) -> Design:
    """Draw accounts at random within each standing, the same for the same seed and accounts.

    Raises ConfigError: fewer than one is asked for. SchemaError: a word that is no standing.
    """
    if size < 1:
        raise ConfigError("expected one account or more", where="N")
    groups: dict[str, list[str]] = {}
    for account in sorted(standing_of):
        groups.setdefault(standing_of[account], []).append(account)
    if strange := set(groups) - set(STANDINGS):
        raise SchemaError(f"{len(strange)} words that are no standing", where="accounts.parquet")
    counts = _shared_out({name: len(held) for name, held in groups.items()}, size)
    rng = np.random.default_rng(seed)
    strata = []
    for name in sorted(groups):
        places = rng.choice(len(groups[name]), counts[name], replace=False)
        drawn = tuple(groups[name][n] for n in sorted(places.tolist()))
        strata.append(Stratum(name, len(groups[name]), drawn))
    every = [account for stratum in strata for account in stratum.drawn]
    return Design(seed, tuple(strata), tuple(every[n] for n in rng.permutation(len(every))))


def _shared_out(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """Return how many to draw of each standing: by their shares, never more than there are."""
    counts = dict.fromkeys(sizes, 0)
    for _ in range(min(total, sum(sizes.values()))):
        open_ = [name for name in sizes if counts[name] < sizes[name]]
        # Whoever is furthest behind its share is next.
        name = min(open_, key=lambda n: ((counts[n] + 0.5) / _SHARES[n], n))
        counts[name] += 1
    return counts


def estimate_rates(design: Design, labels: Mapping[str, str], *, level: float = 0.95) -> ErrorRates:
    """Return the error rates with intervals; ``labels``: does the account distil? yes, no, unsure.

    Error: each standing's count has an exact interval at a level raised by Bonferroni, so that all
    hold together at ``level``; the rates are the extremes over them: conservative. An account that
    is unsure or has no label counts as either, whichever is worse.

    Raises SchemaError: another word, or an account that was not drawn.
    """
    # What this needs costs a command on cases as much at its start as all the rest of the room.
    from stillwatch.stats import finite_count_interval

    _check(design, labels)
    each = 1.0 - (1.0 - level) / max(1, len(design.strata))
    accused, others = _Count(), _Count()
    unsure = 0
    for stratum in design.strata:
        yes = sum(labels.get(a) == "yes" for a in stratum.drawn)
        no = sum(labels.get(a) == "no" for a in stratum.drawn)
        n, size = len(stratum.drawn), stratum.size
        unsure += n - yes - no
        low = finite_count_interval(yes, n, size, each).low
        high = finite_count_interval(n - no, n, size, each).high
        known = yes + no
        estimate = size * yes / known if known else float("nan")
        (accused if stratum.standing == "accused" else others).add(size, estimate, low, high)
    honest, missed = accused.honest(), others
    return ErrorRates(
        false_accusation=_share(honest, others.honest(), level),
        false_discovery=_share(honest, accused, level),
        missed=_share(missed, accused, level),
        labelled=sum(len(s.drawn) for s in design.strata) - unsure,
        unsure=unsure,
    )


@dataclass
class _Count:
    """How many accounts distil: of ``size``, about ``estimate``, between ``low`` and ``high``."""

    size: float = 0.0
    estimate: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def add(self, size: float, estimate: float, low: float, high: float) -> None:
        self.size += size
        self.estimate += estimate
        self.low += low
        self.high += high

    def honest(self) -> _Count:
        return _Count(
            self.size, self.size - self.estimate, self.size - self.high, self.size - self.low
        )


def _share(part: _Count, rest: _Count, level: float) -> Rate:
    """Return part / (part + rest); where both can be 0 nothing is said."""
    return Rate(
        _ratio(part.estimate, rest.estimate),
        _ratio(part.low, rest.high, empty=0.0),
        _ratio(part.high, rest.low, empty=1.0),
        level,
    )


def _ratio(part: float, rest: float, *, empty: float = float("nan")) -> float:
    return part / (part + rest) if part + rest > 0 else empty


def _check(design: Design, labels: Mapping[str, str]) -> None:
    drawn = set(design.order)
    if strange := sum(account not in drawn for account in labels):
        raise SchemaError(f"{strange} accounts that were not drawn", where="labels")
    if wrong := sum(label not in LABELS for label in labels.values()):
        raise SchemaError(
            f"{wrong} labels that are none of {', '.join(LABELS)}", where="labels",
            hint="leave a row out, or write unsure",
        )  # fmt: skip
