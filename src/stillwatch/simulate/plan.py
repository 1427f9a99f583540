"""A plan is a world written down in TOML: who lives in it, what drifts, who harvests.

Input: a file, or the name of a shipped one (``worlds/*.toml``). Output: a checked `WorldPlan`.
``extends`` names a shipped world whose people, drifts and campaigns come first; ``rung`` at the top
is that of every campaign that names none.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from stillwatch.errors import ConfigError
from stillwatch.simulate.corpora import known_corpora
from stillwatch.simulate.families import DRIFTS, HONEST
from stillwatch.simulate.lexicon import LANGUAGE_MIX
from stillwatch.simulate.shapes import SHAPES
from stillwatch.simulate.world import WORLDS

__all__ = ["CampaignPlan", "DriftPlan", "People", "WorldPlan", "load_plan", "shipped_plans"]

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,60}$")]
Corpora = Literal["grammar", "development", "held_out"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known(name: str, known: Any) -> str:
    if name not in known:
        raise ValueError(f"there is no {name!r}; choose from " + ", ".join(sorted(known)))
    return name


class People(_Part):
    """A family of honest actors: ``groups`` of ``accounts``; ``requests``: mean of an account.

    Of two entries for one family the later one counts, so a world that extends another can resize.
    """

    family: str
    accounts: int = Field(ge=1, le=2_000_000)
    requests: float = Field(gt=0, le=1e6)
    groups: int = Field(default=1, ge=1, le=100_000)

    @field_validator("family")
    @classmethod
    def _family(cls, name: str) -> str:
        return _known(name, HONEST)


class DriftPlan(_Part):
    """Honest change: ``kind`` begins on ``day`` and brings ``accounts`` into motion."""

    kind: str
    day: float = Field(ge=0)
    accounts: int = Field(ge=1, le=1_000_000)
    requests: float = Field(default=10.0, gt=0, le=1e6)

    @field_validator("kind")
    @classmethod
    def _kind(cls, name: str) -> str:
        return _known(name, DRIFTS)


class CampaignPlan(_Part):
    """A campaign: a published ``shape`` hidden on a ``rung`` of the ladder.

    Its size: ``accounts`` and ``requests`` (mean of an account) where given; else the published
    numbers, accounts times ``factor`` and requests times ``thin``. ``share`` of the world's
    exchanges overrides the number of requests. ``pool``: number of a proxy pool whose customers
    it leaves among; campaigns may share one, also of different ``operator``. ``corpus``: generation
    prompts that it sends for items in English where the texts are at hand.
    """

    name: Name
    shape: str
    rung: int = Field(ge=1, le=5)
    operator: Name | None = None
    accounts: int | None = Field(default=None, ge=2, le=1_000_000)
    requests: float | None = Field(default=None, gt=0, le=1e6)
    factor: float = Field(default=0.01, gt=0, le=1)
    thin: float = Field(default=1.0, gt=0, le=1)
    share: float | None = Field(default=None, gt=0, le=0.5)
    begin: float = Field(default=0.0, ge=0)
    days: float | None = Field(default=None, gt=0)
    pool: int | None = Field(default=None, ge=0)
    corpus: str | None = None

    @field_validator("corpus")
    @classmethod
    def _corpus(cls, name: str | None) -> str | None:
        rendered = {c.name for c in known_corpora() if c.use == "rendered"}
        return name if name is None else _known(name, rendered)

    @field_validator("shape")
    @classmethod
    def _shape(cls, name: str) -> str:
        return _known(name, SHAPES)


class WorldPlan(_Part):
    """A whole world. ``languages``: largest share first.

    ``corpora``: the split that texts come from where a data folder is at hand; "grammar": none.
    """

    name: Name
    about: str = ""
    extends: Name | None = None
    days: int = Field(default=7, ge=1, le=366)
    corpora: Corpora = "development"
    arrivals: Literal["fitted", "plain"] = "fitted"
    languages: tuple[str, ...] = tuple(LANGUAGE_MIX)
    people: tuple[People, ...] = ()
    drift: tuple[DriftPlan, ...] = ()
    campaign: tuple[CampaignPlan, ...] = ()

    @field_validator("languages")
    @classmethod
    def _languages(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        if sorted(codes) != sorted(LANGUAGE_MIX):
            raise ValueError("reorder the languages of the mix, " + ", ".join(LANGUAGE_MIX))
        return codes

    @model_validator(mode="after")
    def _together(self) -> WorldPlan:
        if not self.people:
            raise ValueError("a world needs people: [[people]] family, accounts, requests")
        names = [c.name for c in self.campaign]
        if len(set(names)) < len(names):
            raise ValueError("two campaigns have one name")
        families = {p.family for p in self.people}
        if any(c.shape == "framing" for c in self.campaign) and "victims" not in families:
            raise ValueError("a framing campaign needs people of the family victims to copy")
        late = [c.name for c in self.campaign if c.begin >= self.days]
        late += [d.kind for d in self.drift if d.day >= self.days]
        if late:
            raise ValueError(f"{late[0]} begins after the last of {self.days} days")
        if sum(c.share or 0.0 for c in self.campaign) > 0.9:
            raise ValueError("the shares of all campaigns add up to over 0.9")
        return self

    def without_campaigns(self) -> WorldPlan:
        """Return the same honest people, row for row, and no campaign."""
        return self.model_copy(update={"campaign": (), "name": f"{self.name}-benign"})

    def scaled(self, factor: float) -> WorldPlan:
        """Return the plan with ``factor`` times the accounts (at least 3) of every part."""

        def fewer(n: int) -> int:
            return max(min(n, 3), round(n * factor))

        people = []
        for p in self.people:
            grown = {"groups": fewer(p.groups)} if p.groups > 3 else {"accounts": fewer(p.accounts)}
            people.append(p.model_copy(update=grown))
        drift = [d.model_copy(update={"accounts": fewer(d.accounts)}) for d in self.drift]
        camp = [
            c.model_copy(
                update={"accounts": fewer(c.accounts)}
                if c.accounts
                else {"factor": c.factor * factor}
            )
            for c in self.campaign
        ]
        return self.model_copy(
            update={"people": tuple(people), "drift": tuple(drift), "campaign": tuple(camp)}
        )


_PARTS: Final[dict[str, type[_Part]]] = {
    "people": People,
    "drift": DriftPlan,
    "campaign": CampaignPlan,
}
_FOLDER: Final = resources.files("stillwatch.simulate") / "worlds"


def shipped_plans() -> list[str]:
    """Return the names of the worlds that come with stillwatch."""
    found = (f.name for f in _FOLDER.iterdir())
    return sorted(n.removesuffix(".toml") for n in found if n.endswith(".toml"))


def load_plan(source: str | Path) -> WorldPlan:
    """Return the plan of a TOML file or of a shipped world's name.

    Raises ConfigError, which names the file, the key, what stands there and what may.
    """
    raw = _raw(source)
    if "name" not in raw and str(source).endswith(".toml"):
        raw["name"] = Path(source).stem.lower()
    for key in _PARTS:
        if not isinstance(raw.get(key, []), list) or not all(
            isinstance(one, dict) for one in raw.get(key, [])
        ):
            raise ConfigError(
                f"{key}: expected tables", where=Path(source).name, hint=f"write [[{key}]]"
            )
    seen = {str(source)}
    base = raw.get("extends")
    while isinstance(base, str):
        if base in seen:
            raise ConfigError(f"extends {base}, which extends it", where=str(source))
        seen.add(base)
        under = _raw(base)
        for key in _PARTS:
            raw[key] = [*under.get(key, []), *raw.get(key, [])]
        raw = {k: v for k, v in under.items() if k not in ("name", "about", "extends")} | raw
        base = under.get("extends")
    rung = raw.pop("rung", None)
    if rung is not None and isinstance(raw.get("campaign"), list):
        raw["campaign"] = [{"rung": rung} | c for c in raw["campaign"]]
    try:
        return WorldPlan.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(
            _wrong(error.errors()[0]),
            where=Path(source).name,
            hint="docs/worlds.md lists every key",
        ) from error


def _wrong(first: Any) -> str:
    """Return where the first mistake is, what stands there and what may."""
    place = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        inner = len(first["loc"]) > 1
        part = _PARTS.get(str(first["loc"][0]), WorldPlan) if inner else WorldPlan
        return f"{place}: no such key; there are {', '.join(part.model_fields)}"
    ours = first["type"] == "value_error"  # says itself what stands there
    plain = isinstance(first["input"], str | int | float) and not ours
    got = f"got {first['input']!r}: " if plain else ""
    return f"{place}: {got}{first['msg'].removeprefix('Value error, ')}"


def _raw(source: str | Path) -> dict[str, Any]:
    path = Path(source)
    if str(source).endswith(".toml"):
        if not path.is_file():
            raise ConfigError("there is no such file", where=str(path))
        text, where = path.read_bytes(), path.name
    elif str(source) in shipped_plans():
        where = f"{source}.toml"
        text = (_FOLDER / where).read_bytes()
    else:
        raise ConfigError(
            f"no world named {source}",
            hint="choose from " + ", ".join([*WORLDS, *shipped_plans()]) + ", or give a .toml file",
        )
    try:
        return tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is not TOML: {error}", where=where) from error
