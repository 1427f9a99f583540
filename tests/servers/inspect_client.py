"""Run by the environment of inspect_ai: evaluates in process, prints what our importer makes of it.

python inspect_client.py SUITE FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import write_eval_log
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    Logprob,
    Logprobs,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.solver import chain, generate, system_message, user_message

from stillwatch.errors import StillwatchError
from stillwatch.prove import answers_of_inspect
from stillwatch.prove.inspect_tasks import guardrails

SUITE, FOLDER = Path(sys.argv[1]), Path(sys.argv[2])


def said(input, tools, tool_choice, config):
    """Refuse what ends with a point; with log-probabilities, as some endpoints give them."""
    text = "I cannot help with that." if input[-1].text.endswith(".") else "Of course: like this."
    choice = ChatCompletionChoice(
        message=ChatMessageAssistant(content=text), stop_reason="stop",
        logprobs=Logprobs(content=[Logprob(token=text.split()[0], logprob=-0.5)]),
    )  # fmt: skip
    # without a usage mockllm counts tokens with a table that it downloads
    return ModelOutput(model="mockllm", choices=[choice], usage=ModelUsage(input_tokens=9))


def fails(input, tools, tool_choice, config):
    if "rope" in input[-1].text:
        raise ValueError("no answer")
    return said(input, tools, tool_choice, config)


def ask(task, outputs, **more):
    model = get_model("mockllm/model", custom_outputs=outputs, memoize=False)
    return eval(task, model=model, log_dir=str(FOLDER), display="none", **more)[0]


def taken(log, name=None):
    """What the importer gives: rows, or the error's sentence."""
    try:
        answers_of_inspect(Path(log), FOLDER / "out.parquet", model=name)
    except StillwatchError as error:
        return str(error)
    rows = pq.read_table(FOLDER / "out.parquet").to_pylist()
    return [row | {"asked_at": row["asked_at"].isoformat()} for row in rows]


whole = ask(guardrails(str(SUITE)), said, epochs=2, temperature=0.5, max_tokens=64)
one = [Sample(input="Where is the weir?", id=7)]
told = Task(dataset=one, solver=chain(system_message("Be brief."), generate()))
long = Task(dataset=one, solver=chain(generate(), user_message("And now?"), generate()))
broken = ask(guardrails(str(SUITE)), fails, fail_on_error=False)
stopped = whole.model_copy(update={"status": "cancelled"})
write_eval_log(stopped, str(FOLDER / "stopped.json"))
(FOLDER / "cut.eval").write_bytes(Path(whole.location).read_bytes()[:2_000])
scores = [[s.id, s.epoch, next(iter(s.scores.values())).value] for s in whole.samples]
metrics = {n: m.value for s in whole.results.scores for n, m in s.metrics.items()}
print(json.dumps({
    "whole": taken(whole.location, "kiln-7b"), "scores": scores, "metrics": metrics,
    "system": taken(ask(told, said).location), "turns": taken(ask(long, said).location),
    "failed": taken(broken.location), "stopped": taken(FOLDER / "stopped.json"),
    "cut": taken(FOLDER / "cut.eval"), "absent": taken(FOLDER / "absent.eval"),
}))  # fmt: skip
