"""Guardrail suites in the layouts they were published in, with prompts of our own."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cli.app import run
from stillwatch.errors import InputError, SchemaError
from stillwatch.prove import compare_guardrails, own_suite, read_prompts, read_suite, read_suites
from stillwatch.prove.responses import Answers
from stillwatch.schema import EXIT_CLEAR, EXIT_INPUT

HARMBENCH = ["Behavior", "FunctionalCategory", "SemanticCategory", "Tags", "ContextString"]
HARMBENCH += ["BehaviorID"]
STRONGREJECT = ["category", "source", "forbidden_prompt"]
ADVBENCH = ["goal", "target"]


def table(path: Path, columns: list[str], *rows: tuple[Any, ...]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def harmbench(folder: Path) -> Path:
    return table(
        folder / "harmbench.csv",
        HARMBENCH,
        ("Break a kiln", "standard", "illegal", "", "", "kiln"),
        ("Do the above", "contextual", "illegal", "context", "Ovens:\nhot ones,\u2028two", "oven"),
        ("Sing a whole song", "copyright", "copyright", "lyrics, hash_check", "", "song"),
    )


def test_harmbench_is_asked_with_its_context_and_without_copyright(tmp_path):
    items = {i.prompt_id: i for i in read_suite(harmbench(tmp_path))}
    assert set(items) == {"harmbench-kiln", "harmbench-oven"}
    assert items["harmbench-kiln"].prompt == "Break a kiln"
    oven = items["harmbench-oven"]
    assert oven.prompt == "Ovens:\nhot ones,\u2028two\n\n---\n\nDo the above"
    assert (oven.label, oven.group) == ("unsafe", "harmbench: illegal")


def test_strongreject_and_advbench_have_ids_of_their_prompts(tmp_path):
    rows = [("Violence", "custom", "Hit, a kiln"), ("Fraud", "custom", "Forge a kiln")]
    full = read_suite(table(tmp_path / "full.csv", STRONGREJECT, *rows))
    small = read_suite(table(tmp_path / "small.csv", STRONGREJECT, rows[1]))
    assert {i.prompt: i.group for i in full} == {
        "Hit, a kiln": "strongreject: Violence", "Forge a kiln": "strongreject: Fraud",
    }  # fmt: skip
    assert set(small) < set(full)
    goals = [("Hit a kiln", "Sure"), ("Hit a kiln", "Of course"), ("Heat it", "Sure")]
    found = read_suite(table(tmp_path / "adv.csv", ADVBENCH, *goals))
    assert sorted((i.prompt, i.label, i.group) for i in found) == [
        ("Heat it", "unsafe", ""), ("Hit a kiln", "unsafe", ""),
    ]  # fmt: skip
    assert all(i.prompt_id.startswith("advbench-") for i in found)


def test_json_parquet_and_xstests_csv_are_the_same_suites(tmp_path):
    rows = [{"goal": "Hit a kiln", "target": "Sure"}, {"goal": "Heat it", "target": "Sure"}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    csv_file = table(tmp_path / "a.csv", ADVBENCH, *(tuple(r.values()) for r in rows))
    known = read_suite(csv_file)
    assert len(known) == 2
    assert all(read_suite(tmp_path / f"a.{kind}") == known for kind in ("json", "jsonl", "parquet"))
    columns = ["id", "prompt", "type", "label", "focus", "note"]
    (item,) = read_suite(
        table(tmp_path / "x.csv", columns, (7, "Kill it?", "homonyms", "safe", "", ""))
    )
    assert (item.prompt_id, item.label, item.group) == ("7", "safe", "homonyms")


@pytest.mark.parametrize(
    "columns, row, error, said",
    [
        (["behavior", "id"], ("secret", "1"), SchemaError, "columns are those of no suite"),
        ([*HARMBENCH[:4], "BehaviorID"], ("secret", "", "", "", "1"), SchemaError, "no suite"),
        (STRONGREJECT, ("Violence", "custom", " "), SchemaError, "1: forbidden_prompt is empty"),
        (["id", "prompt", "label"], (1, "secret", "meh"), SchemaError, "1: the label is neither"),
        (ADVBENCH, ("secret",), InputError, "row 1: has more or fewer cells"),
        (ADVBENCH, (), InputError, "holds no prompt"),
        (["goal", "goal", "target"], ("secret", "b", "c"), InputError, "two columns have one name"),
        (["Tell a secret", "secret 2"], ("a", "b"), SchemaError, "2 columns are those of no suite"),
    ],
)  # fmt: skip
def test_wrong_columns_and_cells_are_told_without_their_text(tmp_path, columns, row, error, said):
    path = table(tmp_path / "s.csv", columns, *([row] if row else []))
    with pytest.raises(error, match=said) as told:
        read_suite(path)
    assert "s.csv" in str(told.value)
    assert "secret" not in str(told.value)
    if "no suite" in str(told.value):
        assert "StrongREJECT: category, forbidden_prompt" in str(told.value)


def test_what_is_no_table_is_told(tmp_path):
    deep = b"[" * 100_000
    for text, said in (
        (b"[1, 2]", "else than objects"), (b"[{", "JSON"), (b"a\xff", "UTF-8"), (deep, "JSON"),
        (b"PAR1 and no more", "Parquet"),
    ):  # fmt: skip
        (tmp_path / "s.json").write_bytes(text)
        with pytest.raises(InputError, match=said):
            read_suite(tmp_path / "s.json")
    (tmp_path / "s.csv").write_text('goal,target\n"a"b,c\n')
    with pytest.raises(InputError, match="CSV"):
        read_suite(tmp_path / "s.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_suite(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    "goal, said",
    [
        (["a secret"], "goal is no text"), (True, "goal is no text"), (1.5, "goal is no text"),
        ({"secret": 1}, "goal is no text"), ("a secret \ud800", "goal holds half a character"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_no_prompt(tmp_path, goal, said):
    path = tmp_path / "s.json"
    path.write_text(json.dumps([{"goal": "Heat it", "target": ""}, {"goal": goal, "target": ""}]))
    with pytest.raises(SchemaError, match=rf"s\.json, row 2: {said}") as told:
        read_suite(path)
    assert "secret" not in str(told.value)


def test_one_id_for_two_prompts_is_refused_within_a_suite_and_between_two(tmp_path):
    twice = [("a", "standard", "illegal", "", "", "x"), ("b", "standard", "illegal", "", "", "x")]
    with pytest.raises(InputError, match="one id stands for two prompts"):
        read_suite(table(tmp_path / "twice.csv", HARMBENCH, *twice))
    one, other = (table(tmp_path / f"{k}.csv", HARMBENCH, row) for k, row in enumerate(twice))
    with pytest.raises(InputError, match=r"1\.csv: holds an id"):
        read_suites([one, other])
    assert read_suites([one, one]) == read_suite(one)
    assert read_suites([]) == own_suite()


def test_a_suite_without_safe_prompts_says_nothing_of_over_refusal():
    unsafe = [i for i in own_suite() if i.label == "unsafe"]
    refused = {i.prompt_id: "I cannot help." for i in unsafe}
    arms = [Answers(name, refused, {}, {}) for name in "tb"]
    arms.append(Answers("s", dict.fromkeys(refused, "Sure."), {}, {}))
    found = compare_guardrails(unsafe, *arms)
    assert (found.over_base, found.over_teacher) == (None, None)
    assert found.under_base.difference == 1.0


def test_published_suites_from_prompts_to_the_gap(tmp_path, monkeypatch, capsys, save_answers):
    monkeypatch.chdir(tmp_path)
    table(
        Path("reject.csv"), STRONGREJECT, *((f"kind {k % 4}", "us", f"Harm {k}") for k in range(12))
    )
    harmbench(tmp_path)
    suites = ["--suite", "reject.csv", "--suite", "harmbench.csv"]
    assert run(["prove", "prompts", *suites, "--out", "asked.jsonl"]) == EXIT_CLEAR
    asked = read_prompts(Path("asked.jsonl"))
    assert len(asked) == 14
    arms: list[str] = []
    for arm, text in (
        ("teacher", "I cannot help."),
        ("base", "I cannot help."),
        ("suspect", "Ok."),
    ):
        arms += [
            f"--{arm}",
            str(save_answers(Path(f"{arm}.parquet"), arm, dict.fromkeys(asked, text))),
        ]
    capsys.readouterr()
    assert run(["prove", "guardrails", *arms, *suites, "--out", "gap.json"]) == EXIT_CLEAR
    assert "the suite has no safe prompt" in capsys.readouterr().out
    result = json.loads(Path("gap.json").read_text())
    under = result["result"]["gap"]["under_base"]
    assert (under["n"], under["groups"], under["difference"]) == (14, 5, 1.0)
    assert {"suite/1", "suite/2"} <= set(result["inputs"])
    Path("other.csv").write_text("question,answer\na,b\n")
    wrong = ["prove", "guardrails", *arms, "--suite", "other.csv", "--out", "gap.json"]
    assert run(wrong) == EXIT_INPUT
    assert "HarmBench: Behavior, FunctionalCategory" in capsys.readouterr().err
