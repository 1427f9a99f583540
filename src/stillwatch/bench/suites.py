"""What each suite makes: worlds, seeds, looks and worlds without campaigns."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.bench.scenarios import EVENT_DRIFTS, MIX_DRIFTS, Scenario, scenario
from stillwatch.errors import ConfigError

__all__ = ["FIRST_SEED", "HELD_OUT_SEED", "SUITES", "Suite", "Trials", "suite"]

FIRST_SEED: Final = 800_000
HELD_OUT_SEED: Final = 900_000  # read by nothing but `--held-out`
SUITES: Final = ("smoke", "standard", "full")
_RUNGS: Final = ("rung1", "rung2", "rung3", "rung4", "rung5")
_MIXES: Final = ("mix-0.01", "mix-0.1", "mix-1", "mix-10")
_TACTICS: Final = "tactics"  # shapes that nothing is tuned on: in held-out runs alone


class Trials(NamedTuple):
    """A scenario with how many seeds; ``looks``: in how many of them it is looked at in time."""

    scenario: Scenario
    seeds: int
    looks: int = 0


class Suite(NamedTuple):
    """``look_requests``: campaigns with fewer requests are not looked at in time. ``benign``:
    worlds without campaigns, their ``drifts`` in turn, the mix shifted in the preset ``base``."""

    name: str
    trials: tuple[Trials, ...]
    look_requests: int
    benign: int
    drifts: tuple[str, ...]
    base: str


def suite(name: str, *, held_out: bool = False, corpora: Path | None = None) -> Suite:
    """Return a suite by name; held out, it has the tactics that nothing is tuned on as well.

    ``corpora``: data folder; worlds from files then take their texts from its development or
    held-out split, else from the grammar. Raises ConfigError for an unknown name.
    """
    every = (*MIX_DRIFTS, *EVENT_DRIFTS)
    if name == "smoke":
        trials = (Trials(scenario("smoke"), 2, 1), Trials(scenario("small"), 1))
        made = Suite(name, trials, 400, 2, tuple(MIX_DRIFTS), "small")
    elif name == "standard":
        made = Suite(name, _ladder(2, 1, 1, 2), 1_000, 11, every, "demo")
    elif name == "full":
        made = Suite(name, _ladder(15, 4, 10, 15), 1_000, 110, every, "demo")
    else:
        raise ConfigError(f"no suite named {name}", where="--suite", hint=", ".join(SUITES))
    if held_out and name != "smoke":
        made = made._replace(
            trials=(*made.trials, Trials(scenario(_TACTICS), made.trials[0].seeds))
        )
    if corpora is None:
        return made
    return made._replace(
        trials=tuple(
            t._replace(scenario=t.scenario.with_texts(corpora, held_out=held_out))
            for t in made.trials
        )
    )


def _ladder(rungs: int, looks: int, mixes: int, demos: int) -> tuple[Trials, ...]:
    """Return the ladder with so many seeds a rung, the mixes, and the demo world."""
    return (
        *(Trials(scenario(r), rungs, looks if r in _RUNGS[:2] else 0) for r in _RUNGS),
        *(Trials(scenario(m), mixes) for m in _MIXES),
        Trials(scenario("demo"), demos),
    )
