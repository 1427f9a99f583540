"""What each suite makes: worlds, seeds, looks and benign worlds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from stillwatch.bench.scenarios import Scenario, scenario
from stillwatch.errors import ConfigError
from stillwatch.simulate import CAMPAIGN_FAMILIES, WORLDS, Size

__all__ = ["FIRST_SEED", "HELD_OUT_SEED", "SUITES", "Suite", "faint", "suite"]

FIRST_SEED: Final = 800_000
HELD_OUT_SEED: Final = 900_000  # read by nothing but `--held-out`


@dataclass(frozen=True)
class Suite:
    """``trials``: scenarios with how many seeds each; ``looks``: how many worlds of the first
    scenario are looked at again and again; ``benign``: worlds without campaigns, drifts in turn."""

    name: str
    trials: tuple[tuple[Scenario, int], ...]
    looks: int
    benign: int
    benign_base: str


def faint(base: str, factor: float) -> Scenario:
    """Return a preset whose campaigns have ``factor`` times the accounts, at least four each."""
    world = WORLDS[base]
    sizes = world.sizes()
    scaled: dict[str, Any] = {
        name: Size(
            sizes[name].groups,
            max(4, round(sizes[name].accounts * factor)),
            sizes[name].requests,
        )
        for name in CAMPAIGN_FAMILIES
        if sizes[name].total
    }
    name = f"{base}-x{factor:g}"
    return Scenario(name, replace(world, name=name, **scaled))


def _suite(name: str) -> Suite:
    if name == "smoke":
        return Suite(name, ((scenario("small"), 3),), 1, 3, "small")
    if name == "standard":
        trials = ((scenario("demo"), 8), (faint("demo", 0.3), 4), (faint("demo", 0.1), 4))
        return Suite(name, trials, 1, 6, "demo")
    many = (
        (scenario("demo"), 40), (faint("demo", 0.3), 20), (faint("demo", 0.1), 20),
        (faint("demo", 3.0), 10),
    )  # fmt: skip
    return Suite(name, many, 6, 60, "demo")


SUITES: Final = ("smoke", "standard", "full")


def suite(name: str) -> Suite:
    """Return a suite by name. Raises ConfigError for an unknown one."""
    if name not in SUITES:
        raise ConfigError(f"no suite named {name}", where="--suite", hint=", ".join(SUITES))
    return _suite(name)
