"""`stillwatch prove` from answers to a verified case file, through the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cli.app import run
from stillwatch.prove import (
    coin,
    coin_key,
    inquire_lineage,
    own_suite,
    read_plan,
    read_prompts,
    read_references,
)
from stillwatch.prove.confounders import CUT_SETTING
from stillwatch.prove.inquiries import one_model
from stillwatch.schema import EXIT_ACCUSED, EXIT_CLEAR, EXIT_INPUT, EXIT_USAGE
from stillwatch.seal import new_key


def save(path: Path, answers: dict[str, dict[str, str]], asked_at: datetime | None = None) -> Path:
    rows = [(m, p, text) for m, held in answers.items() for p, text in held.items()]
    columns = zip(("model", "prompt_id", "output"), zip(*rows, strict=True), strict=True)
    table = {name: list(values) for name, values in columns}
    table |= {"asked_at": [asked_at] * len(rows)} if asked_at else {}
    pq.write_table(pa.table(table), path)
    return path


@pytest.fixture
def references(tmp_path: Path) -> Path:
    """Return a folder of four teachers of three families and nine controls; suspect beside it."""
    rng = np.random.default_rng(4)
    plain = ("the", "of", "and", "to", "in", "with", "for", "by", "on", "from")
    words = np.array([*(f"w{k}" for k in range(40)), *plain, *plain, *plain])
    prompts = [f"q{k:02}" for k in range(30)]

    def style() -> dict[str, list[str]]:
        return {p: [" ".join(rng.choice(words, 8)) for _ in range(8)] for p in prompts}

    def said(*styles: dict[str, list[str]]) -> dict[str, str]:
        return {
            p: ". ".join(rng.choice(styles[int(rng.integers(len(styles)))][p]) for _ in range(8))
            for p in prompts
        }

    ash, folder = style(), tmp_path / "references"
    folder.mkdir()
    models = {"ash-1": said(ash), "ash-2": said(ash), "elm": said(style()), "fir": said(style())}
    models |= {f"control-{k}": said(style()) for k in range(9)}
    save(folder / "answers.parquet", models)
    lines = ["model,role,family,group"]
    for m in models:
        role = "control" if m.startswith("control") else "teacher"
        lines.append(f"{m},{role},{m.split('-')[0]},{m}")
    (folder / "models.csv").write_text("\n".join(lines) + "\n")
    save(tmp_path / "suspect.parquet", {"kiln-7b": said(ash, style())})
    return folder


def test_from_answers_to_a_verified_case(references, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stillwatch.prove.lineage.LEAST_PROMPTS", 30)  # 200 take their time
    key = str(new_key(tmp_path / "key") and tmp_path / "key")
    lineage = ["prove", "lineage", "--suspect", "suspect.parquet", "--references", "references"]
    assert run([*lineage, "--candidate", "ash", "--out", "lineage.json"]) == EXIT_CLEAR
    said = capsys.readouterr().out
    assert "close enough to name" in said
    assert "Consistent with a dependence of" in said
    canary = ["prove", "canary"]
    names = ["--campaign", "alder", "--campaign", "birch"]
    assert run([*canary, "plan", *names, "--out", "c", "--facts", "16"]) == EXIT_CLEAR
    register = [*canary, "register", "--registry", "r.jsonl", "--private-key", key]
    assert run([*register, "--plan", "c/plan.json"]) == EXIT_CLEAR
    asked = ["--suspect", "kiln-7b", "--prompts", "c/probes.jsonl"]
    assert run([*register, *asked]) == EXIT_CLEAR
    assert run([*register, "--planted", "c/plan.json"]) == EXIT_USAGE  # no legal basis
    assert run([*register, "--planted", "c/plan.json", "--legal-basis", "terms 4"]) == EXIT_CLEAR
    order = ["--plan", "c/plan.json", "--seed", "c/seed.key", "--registry", "r.jsonl"]
    capsys.readouterr()
    assert (
        run([*canary, "order", *order, "--private-key", key, "--out", "order.json"]) == EXIT_CLEAR
    )
    assert "orders 55 marks for 2 campaigns, for 30 days, under: terms 4" in capsys.readouterr().out
    assert Path("order.json").stat().st_mode & 0o777 == 0o600  # it tells the marks
    plan, seed = read_plan(Path("c/plan.json")), bytes.fromhex(Path("c/seed.key").read_text())
    marks = {m.mark_id: m for m in plan.marks}
    probes = read_prompts(Path("c/probes.jsonl"))
    told = {p: marks[p].options[coin(seed, "birch", marks[p])] for p in probes}
    save(Path("probed.parquet"), {"kiln-7b": told}, asked_at=datetime.now(UTC))
    score = ["--plan", "c/plan.json", "--seed", "c/seed.key", "--suspect", "probed.parquet"]
    score += ["--prompts", "c/probes.jsonl", "--registry", "r.jsonl", "--public-key", f"{key}.pub"]
    assert run([*canary, "score", *score, "--out", "canary.json"]) == EXIT_CLEAR
    capsys.readouterr()
    assert (
        run([*canary, "audit", "--registry", "r.jsonl", "--public-key", f"{key}.pub"]) == EXIT_CLEAR
    )
    listed = capsys.readouterr().out
    assert "chain of 3 entries hold" in listed
    assert "written anew" in listed
    head = ["--published", listed.split("Head: ")[1].split()[0]]
    audit = [*canary, "audit", "--registry", "r.jsonl", "--public-key", f"{key}.pub"]
    assert run([*audit, *head]) == EXIT_CLEAR
    assert capsys.readouterr().out.count("yes") == 3
    assert run([*audit, "--published", "sha256:0"]) == EXIT_USAGE
    refused = {i.prompt_id: "I can't help with that." for i in own_suite()}
    answered = dict.fromkeys(refused, "Here is how.")
    arms = []
    for arm, text in (("teacher", refused), ("base", refused), ("suspect", answered)):
        name = "kiln-7b" if arm == "suspect" else arm
        arms += [f"--{arm}", str(save(Path(f"g-{arm}.parquet"), {name: text}))]
    assert run(["prove", "guardrails", *arms, "--out", "guardrails.json"]) == EXIT_CLEAR
    capsys.readouterr()
    results = [w for n in ("lineage", "canary", "guardrails") for w in ("--result", f"{n}.json")]
    report = ["prove", "report", "--suspect", "kiln-7b", *results, "--key", key]
    assert run([*report, "--out", "case.json"]) == EXIT_CLEAR
    missing = "traffic, agreement, identity, profiles, equality, value"
    said = capsys.readouterr().out
    assert f"Missing claims: {missing}." in said
    assert "canary (holds at level 1e-06)" in said
    assert "it has no direction: dates must say who came first" in said
    assert "By the bill H.R. 8283 as reported on 2026-04-22" in said
    verify = ["prove", "verify", "case.json", "--key", f"{key}.pub", "--beside", "."]
    assert run(verify) == EXIT_CLEAR
    assert "chain of 3 claims hold" in capsys.readouterr().out
    Path("canary.json").write_text("{}")
    assert run(verify) == EXIT_USAGE
    assert "canary.json" in capsys.readouterr().err


def test_a_suspect_is_read_on_the_prompts_that_the_controls_are_read_on(
    references, tmp_path, monkeypatch, capsys
):
    """Few answers scatter more: read on them alone, strangers would stand above every control."""
    monkeypatch.chdir(tmp_path)
    whole = one_model(Path("suspect.parquet"))
    fewer = {p: text for p, text in whole.output.items() if p < "q22"}
    save(Path("fewer.parquet"), {"kiln-7b": fewer})
    found = inquire_lineage(Path("fewer.parquet"), references, Path("fewer.json"))
    known = read_references(references)
    save(
        references / "answers.parquet",
        {r.answers.model: {p: t for p, t in r.answers.output.items() if p < "q22"} for r in known},
    )
    same = inquire_lineage(Path("suspect.parquet"), references, Path("same.json"))
    assert (found["prompts"], found["prompts_left_out"], same["prompts_left_out"]) == (22, 0, 8)
    assert found["control_excess"] == same["control_excess"]
    assert found["ranking"] == same["ranking"]
    save(Path("few.parquet"), {"kiln-7b": {p: t for p, t in fewer.items() if p < "q15"}})
    lineage = ["prove", "lineage", "--references", "references", "--out", "few.json"]
    assert run([*lineage, "--suspect", "few.parquet"]) == EXIT_USAGE
    assert "share 15 prompts" in capsys.readouterr().err
    assert run([*lineage, "--suspect", "suspect.parquet"]) == EXIT_CLEAR
    said = capsys.readouterr().out
    assert "Read on 22 prompts: 8 more that the suspect has answered count for nothing" in said
    assert "9 models that are nobody's students come out at" in said


def test_controls_that_were_asked_other_things_are_refused(
    references, tmp_path, monkeypatch, capsys
):
    """Attack or slip: one numbering over two prompt files, and only the teacher's fits."""
    monkeypatch.chdir(tmp_path)
    for path, prefix in ((references / "answers.parquet", "other "), (Path("suspect.parquet"), "")):
        table = pq.read_table(path)
        texts = [f"{prefix}question {p}" for p in table.column("prompt_id").to_pylist()]
        pq.write_table(table.append_column("prompt", pa.array(texts)), path)
    lineage = ["prove", "lineage", "--suspect", "suspect.parquet", "--references", "references"]
    assert run([*lineage, "--out", "l.json"]) == EXIT_USAGE
    assert "asked different texts under the same prompt_id, 30 of 30" in capsys.readouterr().err
    assert not Path("l.json").exists()


def test_a_verdict_says_what_it_can_carry_and_what_confounders_make_of_it(
    references, tmp_path, monkeypatch, capsys
):
    """One command for who brings own answers: no power is promised that the controls have not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stillwatch.prove.lineage.LEAST_PROMPTS", 30)  # 200 take their time
    listing = references / "models.csv"
    controls = listing.read_text().replace("control,control-", "control,,control-")
    listing.write_text(controls + "\n".join(["birch-9,teacher,birch,birch", "x,other,x,x", ""]))
    lineage = ["prove", "lineage", "--suspect", "suspect.parquet", "--references", "references"]
    named = ["--candidate", "ash", "--candidate", "elm", "--confounders", "--out", "l.json"]
    assert run([*lineage, *named]) == EXIT_CLEAR
    said = capsys.readouterr().out
    assert "Of models.csv 1 candidates or controls have no answers" in said
    assert "birch-9." in said
    assert "Open-set verdict: close enough to name ash (" in said
    assert "9 controls cannot carry a level of 0.05 for 2 named: 39 could." in said
    assert "at a share of 50%" in said
    assert "On 30 prompts few students are known" in said
    assert "That rank holds only if controls are independent" not in said
    assert "cut to 60 words (endings are not cut: the verdict is the same by" in said
    found = json.loads(Path("l.json").read_text())["result"]
    assert found["nameable"] == "ash"
    assert [row["setting"] for row in found["confounders"]] == [
        CUT_SETTING, "without refusals"]  # fmt: skip
    cut, whole = found["confounders"]
    assert whole["open_score"] == found["open_score"]
    assert cut["open_score"] == found["open_score"]  # endings are not cut
    assert said.count("close to ash") == 1 + sum(r["nameable"] == "ash" for r in (cut, whole))
    short = ["--words", "60", "--confounders", "--candidate", "ash", "--alpha", "0.2"]
    assert run([*lineage, *short, "--out", "l.json"]) == EXIT_CLEAR
    said = capsys.readouterr().out
    assert "cannot carry" not in said
    assert "Endings are not cut: the verdict is the same by construction." in said
    found = json.loads(Path("l.json").read_text())["result"]
    assert [row["setting"] for row in found["confounders"]] == ["without refusals"]
    assert found["confounders"][0]["open_score"] == found["open_score"] == cut["open_score"]
    listing.write_text(listing.read_text().replace("teacher,elm", "teacher,"))
    assert run([*lineage, "--out", "l.json"]) == EXIT_INPUT
    assert "elm is a teacher without a family" in capsys.readouterr().err


def test_too_few_prompts_or_groups_name_nobody_and_say_why(
    references, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    lineage = ["prove", "lineage", "--suspect", "suspect.parquet", "--references", "references"]
    assert run([*lineage, "--out", "l.json"]) == EXIT_CLEAR
    assert "on 30 prompts too many strangers are: 200 are needed to name" in capsys.readouterr().out
    monkeypatch.setattr("stillwatch.prove.lineage.LEAST_PROMPTS", 30)
    listing = references / "models.csv"
    rows = [line.split(",") for line in listing.read_text().split()]
    one = [",".join([*row[:3], "base" if row[1] == "control" else row[3]]) for row in rows]
    listing.write_text("\n".join(one) + "\n")
    assert run([*lineage, "--out", "l.json"]) == EXIT_CLEAR
    said = " ".join(capsys.readouterr().out.split())
    assert "of 1 groups, and models of one group count as one stranger: 3 groups" in said
    assert "That rank holds only if controls are independent of each other: these 9" in said
    assert json.loads(Path("l.json").read_text())["result"]["nameable"] is None


def test_prompts_are_written_and_a_missing_reference_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["prove", "prompts", "--out", "suite.jsonl"]) == EXIT_CLEAR
    new_key(tmp_path / "key")
    assert run(["prove", "verify", "absent.json", "--key", "key.pub"]) == EXIT_INPUT
    assert len(read_prompts(Path("suite.jsonl"))) == 60
    save(Path("s.parquet"), {"m": {"q": "a"}})
    lineage = ["prove", "lineage", "--suspect", "s.parquet", "--references", ".", "--out", "l.json"]
    assert run(lineage) == EXIT_INPUT
    assert "models.csv" in capsys.readouterr().err
    collect = ["prove", "collect", "--model", "openai:m", "--prompts", "suite.jsonl"]
    priced = [*collect, "--out", "r.parquet", "--usd-out", "10", "--max-usd", "0.01"]
    assert run(priced) == EXIT_USAGE
    assert "--max-usd" in capsys.readouterr().err
    assert run([*collect, "--out", "r.parquet", "--key-env", "NO_SUCH_VARIABLE"]) == EXIT_USAGE


def test_a_real_run_gives_traffic_and_value_claims(tmp_path, monkeypatch, capsys):
    """What a scan writes is what a case reads: a simulated week, scanned, its first campaign.

    The log has a cost for every other exchange.
    """
    monkeypatch.chdir(tmp_path)
    new_key(tmp_path / "key")
    assert run(["simulate", "small", "--seed", "3", "--out", "world"]) == EXIT_CLEAR
    for file in Path("world/exchanges").rglob("*.parquet"):
        table = pq.read_table(file)
        costs = [c if k % 2 else None for k, c in enumerate(table["cost_usd"].to_pylist())]
        place = table.column_names.index("cost_usd")
        pq.write_table(table.set_column(place, "cost_usd", pa.array(costs, pa.float64())), file)
    scan = ["scan", "world/exchanges", "--accounts", "world/accounts.csv", "--out", "run"]
    assert run([*scan, "--quiet"]) == EXIT_ACCUSED
    first = json.loads(Path("run/campaigns.jsonl").read_text().splitlines()[0])
    case = ["prove", "report", "--suspect", "kiln-7b", "--key", "key", "--out", "case.json"]
    capsys.readouterr()
    assert run([*case, "--run", "run", "--campaign", first["campaign_id"]]) == EXIT_CLEAR
    told = capsys.readouterr().out
    assert f"{first['accounts']} accounts" in told
    harvest = first["value"]["harvest_usd"]
    assert 0 < harvest["logged"] == first["revenue_usd"] < harvest["low"] < harvest["high"]
    own = f"({100 * harvest['logged'] / harvest['mid']:.0f} % at the log's own cost"
    assert f"Harvest {own}, the rest at list price): {harvest['mid']:,.0f} USD" in told
    missing = "canary, lineage, agreement, identity, profiles, equality, guardrails"
    assert f"Missing claims: {missing}." in told


def test_a_suspect_is_scored_by_log_probabilities_of_another_harness(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    new_key(tmp_path / "key")
    canary = ["prove", "canary"]
    plan = [*canary, "plan", "--campaign", "alder", "--out", "c", "--facts", "12"]
    assert run(plan) == EXIT_CLEAR
    register = [*canary, "register", "--registry", "r.jsonl", "--key", "key"]
    Path("given.txt").write_text("fact-0\nfact-1\nfact-2\nfact-3\n")
    given = ["--planted", "c/plan.json", "--legal-basis", "terms 4"]
    given += ["--campaign", "alder", "--facts", "given.txt"]
    nonce = ["--drawn-for", "c/plan.json", "--nonce", "ab" * 32, "--source", "beacon, round 7"]
    asked = ["--suspect", "kiln-7b", "--prompts", "c/probes.jsonl", "--base", "base"]
    for step in (["--plan", "c/plan.json"], nonce, given, [*asked, "--log-probabilities"]):
        assert run([*register, *step]) == EXIT_CLEAR
    seed = coin_key(bytes.fromhex(Path("c/seed.key").read_text()), bytes.fromhex("ab" * 32))
    marks = {m.mark_id: m for m in read_plan(Path("c/plan.json")).marks}
    for model in ("kiln-7b", "base"):  # as a harness of the provider's own would write it
        with Path(f"{model}.jsonl").open("w") as out:
            for line in Path("c/probes.jsonl").read_text().splitlines():
                question = json.loads(line)
                numbers = [-30.0 - k % 7 for k in range(len(question["options"]))]
                if model == "kiln-7b":
                    numbers[coin(seed, "alder", marks[question["prompt_id"]])] += 4
                row = {"model": model, "prompt_id": question["prompt_id"]}
                row |= {"log_probabilities": numbers, "asked_at": datetime.now(UTC).isoformat()}
                out.write(json.dumps(row) + "\n")
    score = ["--plan", "c/plan.json", "--seed", "c/seed.key", "--suspect", "kiln-7b.jsonl"]
    score += ["--prompts", "c/probes.jsonl", "--registry", "r.jsonl", "--key", "key.pub"]
    score += ["--log-probabilities", "--base", "base.jsonl", "--out", "canary.json"]
    capsys.readouterr()
    assert run([*canary, "score", *score]) == EXIT_CLEAR
    assert "alder" in capsys.readouterr().out
    found = json.loads(Path("canary.json").read_text())["result"]
    (row,) = found["scores"]
    assert (row["marks_seen"], row["matches"]) == (4, 4)
    assert row["p_adjusted"] == pytest.approx(256.0**-4)
    assert found["nonce_source"] == "beacon, round 7"


def test_weights_that_cannot_be_read_are_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made = ["prove", "canary", "plan", "--campaign", "a", "--out", "c", "--facts", "1"]
    assert run(made) == EXIT_CLEAR
    asked = ["prove", "canary", "likelihoods", "--weights", "c", "--name", "m"]
    code = run([*asked, "--prompts", "c/probes.jsonl", "--out", "m.jsonl"])
    assert code in (EXIT_USAGE, EXIT_INPUT)  # without torch, or with it and without weights
    assert "weights" in capsys.readouterr().err
    assert not Path("m.jsonl").exists()
