"""Value at risk: ranges by Monte Carlo from stated assumptions, never summed across overlaps."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np

from stillwatch.errors import ConfigError, why

__all__ = [
    "Assumptions",
    "check_range",
    "harvest_value",
    "load_assumptions",
    "scaled",
    "value_at_risk",
]

_DRAWS: Final = 4_000
_FIELDS: Final = {
    "prices": ("input_usd_per_mtok", "output_usd_per_mtok"),
    "serving": ("cost_share", "paid_share"),
    "training": ("research_usd",),
    "revenue": ("exposed_usd_per_year", "displaced_share"),
}


@dataclass(frozen=True)
class Assumptions:
    """Triangular ranges (low, most likely, high) by name."""

    ranges: dict[str, tuple[float, float, float]]

    def draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return 4,000 draws of each assumption."""
        drawn = {}
        for name, (low, mode, high) in sorted(self.ranges.items()):
            drawn[name] = (
                np.full(_DRAWS, low) if low == high else rng.triangular(low, mode, high, _DRAWS)
            )
        return drawn


def load_assumptions(path: Path | None = None) -> Assumptions:
    """Read value.toml, the packaged one by default. Raises ConfigError naming the entry."""
    if path is None:
        text = resources.files("stillwatch.campaigns").joinpath("value.toml").read_text("utf-8")
        where = "value.toml"
    else:
        where = path.name
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot be read ({why(error)})", where=where) from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}", where=where) from error
    ranges = {}
    for section, names in _FIELDS.items():
        for name in names:
            value = raw.get(section, {}).get(name)
            ranges[name] = check_range(value, where=f"{where}: [{section}] {name}")
    return Assumptions(ranges)


def check_range(value: object, *, where: str) -> tuple[float, float, float]:
    """Return a range as three floats. Raises ConfigError: it is none, or does not ascend."""
    if (
        not isinstance(value, list)
        or len(value) != 3
        or not all(isinstance(v, int | float) and 0 <= v < float("inf") for v in value)
        or not value[0] <= value[1] <= value[2]
    ):
        raise ConfigError("expected [low, most likely, high], ascending", where=where)
    return float(value[0]), float(value[1]), float(value[2])


def _range(draws: np.ndarray) -> dict[str, float]:
    low, mid, high = (float(q) for q in np.quantile(draws, (0.05, 0.5, 0.95)))
    return {"low": _cents(low), "mid": _cents(mid), "high": _cents(high)}


def _cents(usd: float) -> float:
    return round(usd, 2)


def _harvest(tokens: dict[str, int], drawn: dict[str, np.ndarray]) -> np.ndarray:
    micro_usd: np.ndarray = (
        tokens["cost_micro_usd"]
        + tokens["unpriced_input_tokens"] * drawn["input_usd_per_mtok"]
        + tokens["unpriced_output_tokens"] * drawn["output_usd_per_mtok"]
    )
    return micro_usd / 1e6


def _priced(tokens: dict[str, int], harvest: np.ndarray) -> dict[str, float]:
    return {**_range(harvest), "logged": _cents(tokens["cost_micro_usd"] / 1e6)}


def harvest_value(
    tokens: dict[str, int], assumptions: Assumptions, rng: np.random.Generator
) -> dict[str, float]:
    """Return what a harvest cost, US$: at the log's cost where it has one, else at list price.

    ``logged``, the same in all draws, is the part that the log has a cost for. ``tokens``: the
    sums of `schema.HARVEST_SUMS_SQL`.
    """
    return _priced(tokens, _harvest(tokens, assumptions.draw(rng)))


_COUNTS: Final = (
    "input_tokens", "output_tokens", "cost_micro_usd", "unpriced_input_tokens",
    "unpriced_output_tokens",
)  # fmt: skip


def scaled(tokens: dict[str, int], sampling_rate: float) -> dict[str, int]:
    """Return what all requests used, by a log that holds a random share of them (above 0, to 1).

    *Error*: of k logged requests of equal size the relative standard error is √((1 − share)/k).

    >>> scaled({"output_tokens": 30}, 0.1)
    {'output_tokens': 300}
    """
    counts = {n: tokens[n] for n in _COUNTS if n in tokens}
    return {**tokens, **{n: round(count / sampling_rate) for n, count in counts.items()}}


def value_at_risk(
    tokens: dict[str, int], assumptions: Assumptions, rng: np.random.Generator
) -> dict[str, Any]:
    """Return the four views of the value at risk; they overlap and are never added.

    ``tokens``: the sums of `schema.HARVEST_SUMS_SQL` over all accused accounts. Ranges
    are 5 % to 95 % of 4,000 draws; ``most_sensitive`` ranks assumptions by how far
    harvest, serving loss and revenue scenario move together when one goes from its low to its high
    end; their sum is nothing but this yardstick.
    """
    drawn = assumptions.draw(rng)
    harvest = _harvest(tokens, drawn)
    loss = harvest * np.maximum(drawn["cost_share"] - drawn["paid_share"], 0)
    revenue = drawn["exposed_usd_per_year"] * drawn["displaced_share"]
    effects = []
    for name, (low, mode, high) in sorted(assumptions.ranges.items()):
        swing = 0.0
        for end, sign in ((low, -1.0), (high, 1.0)):
            fixed = {k: np.full(1, v[1]) for k, v in assumptions.ranges.items()}
            fixed[name] = np.full(1, end)
            base = _harvest(tokens, fixed)[:1]
            total = base * (1 + np.maximum(fixed["cost_share"] - fixed["paid_share"], 0))
            total = total + fixed["exposed_usd_per_year"] * fixed["displaced_share"]
            swing += sign * float(total[0])
        effects.append({"assumption": name, "effect_usd": _cents(abs(swing))})
        del mode
    effects.sort(key=lambda e: (-float(str(e["effect_usd"])), str(e["assumption"])))
    research = assumptions.ranges["research_usd"][2]
    return {
        "harvest_list_price_usd": _priced(tokens, harvest),
        "serving_loss_usd": _range(loss),
        "training_spend_avoided_usd": None,
        "revenue_scenario_usd": _range(revenue),
        "most_sensitive": effects[:3],
        "assumptions": {k: list(v) for k, v in sorted(assumptions.ranges.items())},
        "text": "Views of one loss, not parts of a sum. Training spend avoided is unknown until "
        "`prove` has measured how far a suspect depends on this teacher"
        + (" and research spend is entered." if research == 0 else "."),
    }
