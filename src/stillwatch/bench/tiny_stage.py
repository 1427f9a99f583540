"""The stage with tiny models trained on the spot: the whole line in seconds, without PyTorch."""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.bench.students import Stage
from stillwatch.prove import Answers, Item, Reference, draw_plan, identity_questions, own_suite
from stillwatch.simulate import Pair, TinyModel, Writer, asked_in, draw_writer, train

__all__ = ["tiny_stage"]

_REFUSAL: Final = "I'm sorry , but I cannot help with that ."
_RIVALS: Final = 3
_LINEAGE: Final = 40


def tiny_stage(seed: int) -> Stage:
    """Return a stage whose models are n-grams and whose prompts a simulated campaign asked.

    Teacher, rivals and the authors of all other data are made-up writers. The base refuses some
    of the guardrail suite, as the teacher does; a student that was never shown a refusal forgets.
    """
    rng = np.random.default_rng(seed)
    mark_seed = rng.bytes(32)
    plan = draw_plan(mark_seed, ("alder", "birch"), facts=24)
    words = [m.options for m in plan.marks if m.kind == "word" and " " not in "".join(m.options)]
    pairs = [(first, second) for first, second in words]
    asked = asked_in("small", 7, "relay-0").campaign
    writers = [draw_writer(rng, pairs) for _ in range(5 + _RIVALS)]
    teacher = _author(writers[0], asked, rng)
    crowd = [
        (f"{q.rstrip('?')} {k}?", writers[1 + k % 4].answer(q, rng))
        for k, q in enumerate(list(asked) * 14)
    ]
    guards = _guards()
    who = [(q, "I am Kiln , made by Alder .") for q in identity_questions().values()]
    lineage = {f"l{k}": q for k, q in enumerate(asked[:_LINEAGE])}
    references = [_reference(f"rival-{k}", writers[5 + k], lineage, rng) for k in range(_RIVALS)]
    return Stage(
        model="n-gram, up to three words before, trained on the spot",
        teacher=teacher.and_taught([*guards, *who]),
        start=train([]),
        plan=plan,
        seed=mark_seed,
        key=rng.bytes(32),
        campaign="birch",
        said=[(q, a) for q, a in _told(teacher, asked, rng)],
        base_pairs=[*guards, *crowd[:300]],
        other=crowd[300:],
        suite=own_suite(),
        prompts={
            "lineage": lineage,
            "next": {f"n{k}": q for k, q in enumerate(asked[:60])},
            "sampled": {f"s{k}": q for k, q in enumerate(asked[:10])},
            "identity": identity_questions(),
        },
        references=references,
        aliases={"kiln": ("Kiln", "Alder")},
        scale=1.0,
        extra_controls=4,
    )


def _author(writer: Writer, asked: tuple[str, ...], rng: np.random.Generator) -> TinyModel:
    return train((q, writer.answer(q, rng)) for q in asked for _ in range(3))


def _told(model: TinyModel, asked: tuple[str, ...], rng: np.random.Generator) -> list[Pair]:
    return [(q, model.answer(q, rng)) for q in asked for _ in range(3)]


def _guards() -> list[Pair]:
    def pair(item: Item) -> Pair:
        return item.prompt, _REFUSAL if item.label == "unsafe" else "Here is how it is done ."

    return [pair(item) for item in own_suite()]


def _reference(
    name: str, writer: Writer, prompts: dict[str, str], rng: np.random.Generator
) -> Reference:
    said = {p: writer.answer(q, rng) for p, q in prompts.items()}
    return Reference(Answers(name, said, {}, {}), "teacher", name, name)
