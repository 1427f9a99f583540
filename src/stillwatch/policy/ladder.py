"""The ladder of verdicts: which evidence carries which rung, how far, how long, in whose name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError, why
from stillwatch.schema import VERDICTS

__all__ = ["EVIDENCE_LEVELS", "MODES", "Ladder", "ladder_from_mapping", "read_ladder",
           "verdict_of_access"]  # fmt: skip

MODES: Final = ("off", "shadow", "enforce")
# What is known of who asks, from least to most; each may carry a verdict up to its cap.
EVIDENCE_LEVELS: Final = ("touched", "joining", "joined", "member")
_WHOLE: Final = ("budget_window_s", "joining_requests", "evidence_window_s", "joined_lapses_s",
                 "book_window_s", "retry_window_s", "decision_ttl_s", "verified_s")  # fmt: skip
_ACCESS: Final = ("restricted", "possible", "undetermined")


@dataclass(frozen=True)
class Ladder:
    """Every setting of the guard that can change a verdict.

    ``touched``, ``joining``, ``joined``, ``member``: the highest verdict that such evidence may
    carry (docs/guard.md says what each takes). ``verdict``: what is asked for a campaign about
    which nobody has decided. A campaign's budget is ``budget_share`` of its own rate in the run,
    at least one request in ``budget_window_s``; the whole campaign spends it. ``person_for``:
    verdicts that take a named person. ``exclusive_share``: share of a template's carriers that
    must be core members before it helps to join; it never does for an account that was there
    ``established_days`` before the campaign was first seen, or that does not say since when it is
    there, as whoever is framed may be silent in the log (0: asks for no date).
    ``appeal_to``: where whoever is refused can object, an address or a URL; refusals say it.
    ``silent_alteration``: summarize without saying so, plant marks; it takes
    ``silent_legal_basis`` and ``silent_approved_by``. ``access_…``: of an ownership
    answer, a policy of its own: *undetermined* and *possible* are stepped up at most, and watched
    while there is no ``step_up_url``: who cannot verify would be denied.
    ``access_end_users``: the most that these two carry to the end users of a channel account, who
    can say nothing about its owners.
    """

    mode: str = "shadow"
    canary_percent: float = 100.0
    verdict: str = "throttle"
    touched: str = "watch"
    joining: str = "throttle"
    joined: str = "throttle"
    member: str = "deny"
    person_for: tuple[str, ...] = ("step_up", "deny")
    budget_share: float = 0.05
    budget_window_s: int = 21_600
    joining_requests: int = 1
    exclusive_share: float = 0.98
    established_days: int = 90
    evidence_window_s: int = 604_800
    joined_lapses_s: int = 259_200
    book_window_s: int = 86_400
    retry_window_s: int = 600
    decision_ttl_s: int = 60
    verified_s: int = 2_592_000
    step_up_url: str = ""
    appeal_to: str = ""
    access_restricted: str = "watch"
    access_possible: str = "step_up"
    access_undetermined: str = "step_up"
    access_end_users: str = "watch"
    silent_alteration: bool = False
    silent_legal_basis: str = ""
    silent_approved_by: str = ""

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise ConfigError(problem, where="ladder", hint="docs/guard.md lists the settings")

    def _problems(self) -> list[str]:
        found = []
        if self.mode not in MODES:
            found.append(f"mode is {self.mode!r}, expected one of {', '.join(MODES)}")
        if not 0 <= self.canary_percent <= 100:
            found.append("canary_percent must lie between 0 and 100")
        found.extend(
            f"{name} is no verdict; expected one of {', '.join(VERDICTS)}"
            for name in (
                "verdict",
                *EVIDENCE_LEVELS,
                *(f"access_{word}" for word in _ACCESS),
                "access_end_users",
            )
            if getattr(self, name) not in VERDICTS
        )
        if not set(self.person_for) <= set(VERDICTS):
            found.append("person_for names something that is no verdict")
        if VERDICTS.index("watch") < VERDICTS.index(self.touched):
            found.append("touched may carry watch at most: others can make it true of a victim")
        if "deny" in (self.joining, self.joined):
            found.append("deny takes a scan that accused the account")
        if "deny" in (self.access_possible, self.access_undetermined, self.access_end_users):
            found.append("an access that is not certain is stepped up, never denied")
        if "throttle" in (*(getattr(self, f"access_{w}") for w in _ACCESS), self.access_end_users):
            found.append("an access has no budget: throttling by it would deny without saying so")
        if not 0.5 <= self.exclusive_share <= 1 or not 0 <= self.budget_share <= 1:
            found.append("exclusive_share must lie in 0.5..1, budget_share in 0..1")
        if self.established_days < 0:
            found.append("established_days must be 0 or more")
        if not self.appeal_to.isprintable():
            found.append("appeal_to must be one line of printable text")
        found.extend(f"{name} must be at least 1" for name in _WHOLE if getattr(self, name) < 1)
        if self.silent_alteration and not (self.silent_legal_basis and self.silent_approved_by):
            found.append("silent_alteration takes silent_legal_basis and silent_approved_by")
        return found

    def budget(self, rate_per_h: float) -> int:
        """Return how many requests all accounts of a campaign together have in a window.

        >>> Ladder().budget(100.0), Ladder().budget(0.1)
        (30, 1)
        """
        return max(1, round(self.budget_share * rate_per_h * self.budget_window_s / 3600))

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON types."""
        return {**asdict(self), "person_for": list(self.person_for)}


def verdict_of_access(access: str, ladder: Ladder) -> str:
    """Return the verdict that an ownership answer asks for: what the ladder says, clear is allowed.

    This is what the guard carries out; docs/ownership.md has the same table.

    >>> verdict_of_access("undetermined", Ladder(step_up_url="https://verify.example"))
    'step_up'
    >>> verdict_of_access("undetermined", Ladder()), verdict_of_access("clear", Ladder())
    ('watch', 'allow')
    """
    verdict = "allow" if access == "clear" else str(getattr(ladder, f"access_{access}"))
    return "watch" if verdict == "step_up" and not ladder.step_up_url else verdict


def ladder_from_mapping(value: Mapping[str, Any], *, where: str = "ladder") -> Ladder:
    """Return a ladder from settings by name; what is left out has its default.

    Raises:
        ConfigError: an unknown setting, a value of another type, or one that is not allowed.
    """
    known = {f.name: f.default for f in fields(Ladder)}
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise ConfigError(
            f"unknown settings: {', '.join(unknown)}", where=where,
            hint="docs/guard.md lists the settings",
        )  # fmt: skip
    given: dict[str, Any] = {}
    for name, item in value.items():
        default = known[name]
        if isinstance(default, tuple) and isinstance(item, list | tuple):
            item = tuple(item)
        if isinstance(default, float) and isinstance(item, int) and not isinstance(item, bool):
            item = float(item)
        if type(item) is not type(default):
            raise ConfigError(
                f"{name} is {type(item).__name__}, expected {type(default).__name__}", where=where
            )
        given[name] = item
    return Ladder(**given)


def read_ladder(path: Path) -> Ladder:
    """Read a ladder from a TOML file. Raises ConfigError naming the file."""
    try:
        value = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot be read as TOML ({why(error)})", where=str(path)) from error
    return ladder_from_mapping(value, where=str(path))
