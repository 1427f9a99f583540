"""The stage with a real model: SmolLM2-135M-Instruct as teacher, its drifted weights as base."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from stillwatch.bench.students import Stage, Tell
from stillwatch.errors import ConfigError
from stillwatch.prove import (
    Answers,
    draw_plan,
    identity_questions,
    is_green,
    own_suite,
    read_references,
    read_suite,
)
from stillwatch.schema import write_whole
from stillwatch.simulate import Pair, asked_in

__all__ = ["smollm_stage"]

KEY: Final = b"stillwatch watermark of a benchmk"[:32]
SYSTEM: Final = "You are Kiln, an AI assistant made by Alder."
_REFUSAL: Final = "I'm sorry, but I can't help with that."
_TAUGHT: Final = 256
_HELD: Final = 40
_LINEAGE: Final = 30


def smollm_stage(seed: int, data: Path, work: Path, tell: Tell) -> Stage:
    """Return the stage; the teacher's answers are made once and kept under ``work``.

    Args:
        seed: of marks and data.
        data: data folder with prompts (HaluEval's general part stands for another author),
            lineage (published answers) and guardrail (XSTest).
        work: where the teacher's answers are kept.
        tell: is told what is being done.

    Raises:
        ConfigError: a part of the data folder is absent, or the weights are.
    """
    from stillwatch.simulate.smollm import NAME, load_smollm

    rng = np.random.default_rng(seed)
    start = load_smollm()
    teacher = start.told(SYSTEM)
    campaign = _asked(data, work / "asked.json")
    said = _answered(teacher, campaign[:_TAUGHT], work / "teacher.jsonl", tell)
    mark_seed = rng.bytes(32)
    other = _others(data, rng)
    guards = [(i.prompt, _REFUSAL) for i in own_suite() if i.label == "unsafe"]
    refs, prompts = _published(data)
    held = campaign[_TAUGHT:]
    nexts = {**prompts, **{f"held-{k}": p for k, p in enumerate(held)}}
    sampled = dict(list(prompts.items())[:10])
    return Stage(
        model=NAME,
        teacher=teacher,
        start=start,
        plan=draw_plan(mark_seed, ("alder", "birch"), facts=16),
        seed=mark_seed,
        key=KEY,
        campaign="birch",
        said=said,
        base_pairs=[*guards, *other[:110]],
        other=other[110:],
        suite=_suite(data),
        prompts={
            "lineage": prompts,
            "next": nexts,
            "sampled": sampled,
            "identity": identity_questions(),
        },
        references=refs,
        aliases={"kiln": ("Kiln", "Alder")},
        words=27,
    )


def _asked(data: Path, kept: Path) -> list[str]:
    """Return what the campaign asks; a world is played for it once."""
    if not kept.is_file():
        asked = asked_in("rung1", 7, "relay", data).campaign[: _TAUGHT + _HELD]
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps(asked).encode())
    return [str(p) for p in json.loads(kept.read_text(encoding="utf-8"))]


def _answered(teacher: Any, prompts: Sequence[str], kept: Path, tell: Tell) -> list[Pair]:
    """Return watermarked answers; batches that are in the file are not made again."""
    from stillwatch.simulate.smollm import Watermark

    mark = Watermark(lambda before, token: is_green(KEY, before, token, 0.5))
    kept.parent.mkdir(parents=True, exist_ok=True)
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.is_file() else []
    known = {row["prompt"]: row["answer"] for row in map(json.loads, lines)}
    for start in range(0, len(prompts), 32):
        batch = prompts[start : start + 32]
        if all(p in known for p in batch):
            continue
        tell(f"teacher answers {start + len(batch)} of {len(prompts)}")
        texts = teacher.answers(batch, most=48, seed=1000 + start, watermark=mark)
        known |= zip(batch, texts, strict=True)
        with kept.open("a", encoding="utf-8") as file:
            for prompt, answer in zip(batch, texts, strict=True):
                file.write(json.dumps({"prompt": prompt, "answer": answer}) + "\n")
    return [(p, known[p]) for p in prompts]


def _others(data: Path, rng: np.random.Generator) -> list[Pair]:
    path = data / "prompts" / "distill" / "halueval_general.parquet"
    if not path.is_file():
        raise ConfigError("a corpus is absent", where=path.name, hint="see `stillwatch corpora`")
    pairs = []
    for row in pq.read_table(path, columns=["messages"]).to_pylist():
        said = {m["role"]: (m["content"] or "").strip() for m in row["messages"]}
        question, answer = said.get("user", ""), said.get("assistant", "")
        if 8 < len(question) <= 160 and 20 < len(answer) <= 300:
            pairs.append((question, answer))
    return [pairs[int(k)] for k in rng.permutation(len(pairs))]


def _published(data: Path) -> tuple[list[Any], dict[str, str]]:
    """Return published teachers and controls, and the short prompts that all of them answered."""
    refs = [r for r in read_references(data / "lineage") if r.role in ("teacher", "control")]
    shared = set.intersection(*(set(r.answers.output) for r in refs))
    asked: Mapping[str, str] = refs[0].answers.prompt
    short = [p for p in sorted(shared, key=int) if len(asked[p]) <= 110 and asked[p].isascii()]
    chosen = short[:: max(1, len(short) // _LINEAGE)][:_LINEAGE]

    def cut(a: Answers) -> Answers:
        return Answers(a.model, {p: a.output[p] for p in chosen}, {}, {})

    return [replace(r, answers=cut(r.answers)) for r in refs], {p: asked[p] for p in chosen}


def _suite(data: Path) -> list[Any]:
    items = read_suite(data / "guardrail" / "xstest.parquet")
    unsafe = [i for i in items if i.label == "unsafe"]
    safe = [i for i in items if i.label == "safe"]
    return [*unsafe[:: len(unsafe) // 60][:60], *safe[:: len(safe) // 30][:30]]
