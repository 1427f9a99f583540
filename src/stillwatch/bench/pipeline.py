"""Teacher to students to every test of `prove`, in one call: tiny models or a real one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from stillwatch.bench.arms import ARMS
from stillwatch.bench.student_scores import score_students
from stillwatch.bench.students import Tell, made_students
from stillwatch.errors import ConfigError
from stillwatch.prove import PLACES

__all__ = ["MODELS", "simulate_students"]

MODELS: Final = ("tiny", "smollm2")
MORE_CONTROLS: Final = ("control-2", "control-3", "control-4", "control-5")


def simulate_students(
    model: str,
    out: Path,
    *,
    seed: int,
    tell: Tell,
    arms: Sequence[str] | None = None,
    corpora: Path | None = None,
) -> dict[str, Any]:
    """Write result.json and what every model said under ``out``; return the result.

    Args:
        model: one of `MODELS`.
        out: what lies there is not made again, so it must be of the same seed and model.
        seed: of marks, data and order.
        tell: is told what is being done.
        arms: names of `ARMS` and of further controls; all without it.
        corpora: data folder, which the real model needs.

    Raises:
        ConfigError: an unknown model or arm, another run in ``out``, no data folder.
    """
    known = [*(arm.name for arm in ARMS), *MORE_CONTROLS]
    unknown = sorted(set(arms or ()) - set(known))
    if model not in MODELS or unknown:
        raise ConfigError(
            f"got {model} and arms {', '.join(unknown) or 'as known'}",
            where="simulate student",
            hint=f"models: {', '.join(MODELS)}; arms: {', '.join(known)}",
        )
    out.mkdir(parents=True, exist_ok=True)
    _claim(out / "run.json", {"model": model, "seed": seed, "places": PLACES})
    if model == "tiny":
        from stillwatch.bench.tiny_stage import tiny_stage

        stage = tiny_stage(seed)
    elif corpora is None:
        raise ConfigError("the real model needs the data folder", where="--corpora")
    else:
        from stillwatch.bench.smollm_stage import smollm_stage

        stage = smollm_stage(seed, corpora, out, tell)
    found = made_students(stage, out, tell, seed=seed, only=arms)
    result = {"seed": seed, **score_students(stage, found, seed=seed)}
    aside = out / "result.json.part"
    aside.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    aside.replace(out / "result.json")
    return result


def _claim(path: Path, wanted: dict[str, Any]) -> None:
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != wanted:
        raise ConfigError(
            "the folder holds another model's, seed's or plan's run", where=path.parent.name
        )
    path.write_text(json.dumps(wanted) + "\n", encoding="utf-8")
