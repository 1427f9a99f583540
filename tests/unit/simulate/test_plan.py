"""A world is written in TOML, checked, and played the same way every time."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError
from stillwatch.simulate import LANGUAGE_MIX, PLAN_TRUTH, SHAPES, load_plan, shipped_plans, simulate
from stillwatch.simulate.hiding import LADDER

HEAD = """
name = "mine"
people = [
  { family = "chat", accounts = 12, requests = 6 },
  { family = "tryouts", accounts = 12, requests = 3 },
  { family = "victims", accounts = 2, requests = 6 },
  { family = "proxy_customers", accounts = 5, requests = 4 },
]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", shipped_plans())
def test_every_shipped_world_is_a_valid_plan(name):
    plan = load_plan(name)
    assert plan.name == name
    assert plan.about
    assert sum(p.accounts * p.groups for p in plan.people) > 300


def test_the_ladder_is_the_same_campaigns_on_five_rungs():
    worlds = [load_plan(f"rung{r}") for r in LADDER]
    for rung, world in zip(LADDER, worlds, strict=True):
        assert {c.rung for c in world.campaign} == {rung}
        assert [c.model_copy(update={"rung": 1}) for c in world.campaign] == list(
            worlds[0].campaign
        )
        assert world.people == load_plan("benign").people


def test_every_published_shape_is_in_a_shipped_world():
    used = {c.shape for name in shipped_plans() for c in load_plan(name).campaign}
    assert used == set(SHAPES)


@pytest.mark.parametrize(
    "text, said",
    [
        ("people = []", "a world needs people"),
        (HEAD.replace("chat", "chats"), "people.0.family: there is no 'chats'; choose from"),
        (
            HEAD.replace("accounts = 12", "accounts = 0"),
            "people.0.accounts: got 0: Input should be",
        ),
        (HEAD + "colour = 1", "colour: no such key"),
        (HEAD + "[[drift]]\nkind = 'viral'\nday = 9\naccounts = 3", "begins after the last"),
        (HEAD + "[[drift]]\nkind = 'war'\nday = 1\naccounts = 3", "drift.0.kind: there is no"),
        (
            HEAD + "[[campaign]]\nname = 'a'\nshape = 'hydra'\nrung = 6",
            "campaign.0.rung: got 6: Input",
        ),
        (HEAD + "[[campaign]]\nname = 'a'\nshape = 'hydra'", "campaign.0.rung: Field required"),
        (HEAD + "[[campaign]]\nname = 'a'\nshape = 'x'\nrung = 1", "campaign.0.shape: there is no"),
        (HEAD + 2 * "[[campaign]]\nname = 'a'\nshape = 'hydra'\nrung = 1\n", "have one name"),
        (HEAD + 'languages = ["en"]', "reorder the languages"),
        (HEAD + 'extends = "nowhere"', "no world named nowhere"),
        ("name = ", "is not TOML"),
    ],
)
def test_a_wrong_plan_says_where_and_what(tmp_path, text, said):
    with pytest.raises(ConfigError, match=r"mine\.toml|nowhere") as error:
        load_plan(write(tmp_path, text))
    assert said in str(error.value)


@pytest.mark.parametrize(
    "text, said",
    [
        ("dayz = 3", "dayz: no such key; there are name, about"),
        ("people = 3", r"people: expected tables"),
        ("rung = 2\ncampaign = ['x']", r"campaign: expected tables"),
        ("days = 0", "days: got 0"),
        ("[[people]]\nfamily = 'chat'\naccounts = 1\nrequests = 1\nsize = 2", "no such key; there"),
    ],
)
def test_a_mistake_is_told_with_what_stands_there_and_what_may(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(f'extends = "smoke"\n{text}\n')
    with pytest.raises(ConfigError, match=said):
        load_plan(path)


def test_framing_needs_somebody_to_frame(tmp_path):
    text = HEAD.replace("victims", "judges") + (
        "[[campaign]]\nname = 'f'\nshape = 'framing'\nrung = 2\naccounts = 3"
    )
    with pytest.raises(ConfigError, match="family victims"):
        load_plan(write(tmp_path, text))


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_plan(tmp_path / "none.toml")


def test_the_same_plan_and_seed_give_the_same_bytes(tmp_path, digests):
    plan = load_plan("smoke").scaled(0.08)
    simulate(plan, seed=4, out=tmp_path / "a")
    simulate(plan, seed=4, out=tmp_path / "b")
    simulate(plan, seed=5, out=tmp_path / "c")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert digests(tmp_path / "a") != digests(tmp_path / "c")


def test_rows_are_in_the_order_of_time_in_one_file_a_day(tmp_path):
    result = simulate(load_plan("smoke").scaled(0.08), seed=4, out=tmp_path)
    times = []
    for path in result.files["parquet"]:
        mine = pq.read_table(path, columns=["ts"])["ts"].to_pylist()
        assert {f"{ts:%Y-%m-%d}" for ts in mine} == {path.stem}
        times += mine
    assert times == sorted(times)
    assert len(times) == result.exchanges
    assert len(result.files["parquet"]) == 7


def test_accounts_of_a_hidden_campaign_are_not_made_at_one_moment(tmp_path):
    text = HEAD + "[[campaign]]\nname = 'c'\nshape = 'hydra'\nrung = 3\naccounts = 60\n"
    result = simulate(write(tmp_path, text + "requests = 2"), seed=2, out=tmp_path / "out")
    with result.accounts_csv.open(newline="") as file:
        created = [row["created_at"] for row in csv.DictReader(file)]
    assert len(created) == len(set(created))


def test_honest_rows_do_not_depend_on_campaigns(tmp_path):
    plan = load_plan("smoke").scaled(0.08)
    both = simulate(plan, seed=4, out=tmp_path / "with")
    alone = simulate(plan.without_campaigns(), seed=4, out=tmp_path / "without")
    truth = pq.read_table(both.truth_parquet).to_pylist()
    core = {t["account_id"] for t in truth if t["role"] == "core"}
    mixed = [r for r in _rows(both) if r["account_id"] not in core]
    assert core
    assert mixed == _rows(alone)


def _rows(result):
    return [r for p in result.files["parquet"] for r in pq.read_table(p).to_pylist()]


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("rung", [2, 5])
def test_every_shape_plays_on_the_ladder_and_truth_says_who(tmp_path, shape, rung):
    text = HEAD + (
        f"[[campaign]]\nname = 'c'\nshape = '{shape}'\nrung = {rung}\naccounts = 5\n"
        "requests = 6\noperator = 'op-x'\npool = 0"
    )
    result = simulate(write(tmp_path, text), seed=2, out=tmp_path / "out")
    truth = pq.read_table(result.truth_parquet)
    assert truth.schema == PLAN_TRUTH
    core = [t for t in truth.to_pylist() if t["role"] == "core"]
    assert len(core) >= 5
    assert all(
        (t["family"], t["campaign"], t["operator"], t["rung"]) == (shape, "c", "op-x", rung)
        for t in core
    )
    assert all(t["benign_family"] for t in core)
    ids = {t["account_id"] for t in core}
    sent = [r for r in _rows(result) if r["account_id"] in ids]
    assert len(sent) >= 15
    other = {t["role"] for t in truth.to_pylist()} - {"core"}
    assert other == {"honest", "periphery"} | ({"victim"} if shape == "framing" else set())


@pytest.mark.parametrize("share", [0.01, 0.1])
def test_a_share_is_that_of_the_exchanges(tmp_path, share):
    text = HEAD.replace("accounts = 12", "accounts = 160") + (
        f"[[campaign]]\nname = 'c'\nshape = 'hydra'\nrung = 2\nshare = {share}\nthin = 0.01"
    )
    result = simulate(write(tmp_path, text), seed=2, out=tmp_path / "out")
    core = sum(result.languages["campaign"].values())
    assert core / result.exchanges == pytest.approx(share, rel=0.5)


def test_banned_accounts_are_replaced(tmp_path):
    text = HEAD + "[[campaign]]\nname = 'c'\nshape = 'regrowth'\nrung = 1\naccounts = 8\n"
    result = simulate(write(tmp_path, text + "requests = 20"), seed=2, out=tmp_path / "out")
    assert result.roles["core"] > 12
    core = {
        t["account_id"]
        for t in pq.read_table(result.truth_parquet).to_pylist()
        if t["role"] == "core"
    }
    denied = [r for r in _rows(result) if r["status"] == "denied" and r["account_id"] in core]
    assert denied


def test_four_accounts_are_a_campaign(tmp_path):
    text = HEAD + "[[campaign]]\nname = 'c'\nshape = 'rl_prompts'\nrung = 2\nfactor = 0.001\n"
    result = simulate(write(tmp_path, text + "thin = 0.05"), seed=2, out=tmp_path / "out")
    assert result.roles["core"] == 4


@pytest.mark.parametrize("kind", ["launch", "viral", "country", "price"])
def test_a_drift_brings_honest_accounts_into_motion_from_its_day_on(tmp_path, kind):
    text = HEAD + f"[[drift]]\nkind = '{kind}'\nday = 3\naccounts = 40\nrequests = 8"
    result = simulate(write(tmp_path, text), seed=2, out=tmp_path / "out")
    truth = {t["account_id"]: t for t in pq.read_table(result.truth_parquet).to_pylist()}
    assert set(result.roles) == {"honest"}
    assert result.families[kind] == 40
    mine = [r["ts"] for r in _rows(result) if truth[r["account_id"]]["family"] == kind]
    days = [(ts - result.start).days for ts in mine]
    assert len(mine) > 60
    early = sum(d < 3 for d in days)
    assert early < len(days) / 2 if kind in ("viral", "price") else early == 0


@pytest.mark.parametrize("rung", [1, 4])
def test_campaigns_and_honest_people_write_in_one_mix_of_languages(tmp_path, rung):
    """By accounts of each side, in a world whose mix is reordered: the first named leads."""
    order = ("zh", "ja", "en", "de", "fr", "pt", "es")
    plan = load_plan(f"rung{rung}").scaled(0.1).model_copy(update={"languages": order})
    result = simulate(plan, seed=6, out=tmp_path)
    shares = {}
    for row in pq.read_table(result.truth_parquet).to_pylist():
        side = shares.setdefault(row["role"] == "core", {})
        side[row["language"]] = side.get(row["language"], 0) + 1
    for side in shares.values():
        total = sum(side.values())
        assert total > 50
        for code, expected in zip(order, LANGUAGE_MIX.values(), strict=True):
            assert side.get(code, 0) / total == pytest.approx(expected, abs=0.07)
    sent = result.languages["campaign"]
    assert max(sent, key=sent.get) == "zh"
