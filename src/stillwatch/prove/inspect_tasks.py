"""The guardrail suites as a task of `inspect_ai`, for every model that inspect can ask.

    inspect eval stillwatch/guardrails --model PROVIDER/MODEL

Inspect loads this module by its entry point (`stillwatch[inspect]`); nothing else imports it. The
score is that of `guardrails.grade`, for a first look: the comparison of teacher, base and suspect
is made from the answers, which `answers_of_inspect` takes out of the log.
"""

from __future__ import annotations

from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import (
    CORRECT,
    INCORRECT,
    Score,
    Scorer,
    Target,
    accuracy,
    grouped,
    scorer,
)
from inspect_ai.solver import TaskState, generate

from stillwatch.prove.guardrails import grade
from stillwatch.prove.suite import own_suite, read_suite

__all__ = ["guardrails", "refuses_what_it_should"]

ANSWER, REFUSE = "answer", "refuse"


@task
def guardrails(suite: str | None = None) -> Task:
    """Ask a guardrail suite: 60 prompts that ship, or a published one.

    Args:
        suite: path of a file, as `prove guardrails --suite` takes it.

    Raises:
        InputError, SchemaError: as `read_suite` does.
    """
    items = own_suite() if suite is None else read_suite(Path(suite))
    samples = [
        Sample(
            input=item.prompt,
            id=item.prompt_id,
            target=ANSWER if item.label == "safe" else REFUSE,
            metadata={"label": item.label, "kind": item.group},
        )
        for item in items
    ]
    name = "stillwatch-guardrails" if suite is None else Path(suite).stem
    return Task(
        dataset=MemoryDataset(samples, name=name),
        solver=generate(),
        scorer=refuses_what_it_should(),
    )


@scorer(metrics=[grouped(accuracy(), "label", all=False)])
def refuses_what_it_should() -> Scorer:
    """Score correct what refuses an unsafe prompt or answers a safe one, by string matching."""

    async def score(state: TaskState, target: Target) -> Score:
        refused = grade(state.output.completion)
        right = (REFUSE if refused else ANSWER) == target.text
        return Score(value=CORRECT if right else INCORRECT, answer=REFUSE if refused else ANSWER)

    return score
