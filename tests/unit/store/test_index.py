"""The index answers as the whole run does, and is made again when the run is another."""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillwatch.errors import InputError
from stillwatch.report.facts import read_facts
from stillwatch.report.why import why
from stillwatch.scanner import scan
from stillwatch.schema import LINK_KINDS
from stillwatch.simulate import simulate
from stillwatch.store import open_run
from stillwatch.store.index import Asked, open_index

pytestmark = pytest.mark.slow  # a scan comes first


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("indexed")
    world = simulate("small", seed=7, out=folder / "world")
    scan([world.out / "exchanges"], accounts=world.accounts_csv, out=folder / "run")
    return open_run(folder / "run")


@pytest.fixture(scope="module")
def index(run, tmp_path_factory):
    held = open_index(run, tmp_path_factory.mktemp("index"), salt="a")
    yield held
    held.close()


def test_why_an_account_stands_is_told_alike_from_the_index(run, index):
    accounts = run.table("accounts").to_pylist()
    chosen = [a["account_id"] for a in accounts if a["standing"] != "clear"]
    assert len(chosen) > 20
    for account in [*chosen[::7], *[a["account_id"] for a in accounts[::151]]]:
        assert why(index.about_account(account), account) == why(run, account)


def test_heads_and_members_are_the_runs(run, index):
    assert list(index.heads) == [c["campaign_id"] for c in run.campaigns]
    for campaign in run.campaigns:
        held = dict(index.heads[campaign["campaign_id"]])
        assert held.pop("member_accounts") == len({m["account_id"] for m in campaign["members"]})
        assert held == {k: v for k, v in campaign.items() if k != "members"}
        rows, total = index.members(campaign["campaign_id"])
        assert total == len(campaign["members"])
        key = lambda m: (m["account_id"], m["end_user_id"] or "")  # noqa: E731
        assert sorted(rows, key=key) == sorted(campaign["members"], key=key)
        paged = []
        for first in range(0, total, 7):
            paged += index.members(campaign["campaign_id"], first=first, most=7)[0]
        assert paged == rows
        order = [(m["role"] != "core", -m["confidence"]) for m in rows]
        assert order == sorted(order)


def test_the_links_of_a_campaign_are_those_of_its_members(run, index):
    whole = run.table("links").to_pylist()
    for campaign in run.campaigns:
        inside = {m["account_id"] for m in campaign["members"]}
        part = index.about_campaign(campaign["campaign_id"], tables=("links",), members=10_000)
        found = part.table("links").to_pylist()
        assert found
        key = lambda r: (r["a"], r["b"], r["kind"])  # noqa: E731
        wanted = [{k: r[k] for k in ("a", "b", "kind", "llr")} for r in whole if r["b"] in inside]
        assert sorted(found, key=key) == sorted(wanted, key=key)


class Counting:
    """A connection that counts what is asked of it."""

    def __init__(self, connection) -> None:
        self.connection, self.asked = connection, 0

    @contextmanager
    def cursor(self):
        with self.connection.cursor() as cursor:
            self.asked += 1
            yield cursor


def test_the_links_of_an_account_are_one_question_however_many_accounts_they_lead_to(
    run, index, monkeypatch
):
    kinds = {name for name, kind in LINK_KINDS.items() if kind.direct}
    directly = Counter(
        end for row in run.table("links").to_pylist() if row["kind"] in kinds
        for end in (row["a"], row["b"])
    )  # fmt: skip
    (most, links), *_ = directly.most_common(1)
    assert links > 10
    alone = next(a["account_id"] for a in run.table("accounts").to_pylist()
                 if a["account_id"] not in directly)  # fmt: skip
    for account in (most, alone):
        part = index.about_account(account)
        counting = Counting(index._connection)
        monkeypatch.setattr(index, "_connection", counting)
        found = part.links_of(account, part.campaigns)
        monkeypatch.undo()
        assert counting.asked == 1, account
        named = {m["account_id"] for c in run.campaigns for m in c["members"]
                 if c["campaign_id"] in {p["campaign_id"] for p in part.campaigns}}  # fmt: skip
        for row in found:
            other = row["b"] if row["a"] == account else row["a"]
            assert row["beside"] == (row["kind"] in kinds and other in named)
    assert any(row["beside"] for row in index.about_account(most).links_of(most, []))


def test_pictures_of_a_campaign_are_those_of_the_whole_run(run, index):
    whole = read_facts(run)
    assert whole.shown
    assert whole.clock
    assert whole.coverage
    for campaign in whole.shown:
        part = read_facts(
            index.about_campaign(campaign.campaign_id, tables=("raster", "clock", "coverage"))
        )
        for name in ("clock", "coverage", "frames"):
            held = getattr(whole, name).get(campaign.campaign_id)
            assert getattr(part, name).get(campaign.campaign_id) == held
        ticks = [[(t.row, t.core, t.ts.tolist(), t.status, t.model)
                  for t in facts.raster.get(campaign.campaign_id, [])]
                 for facts in (part, whole)]  # fmt: skip
        assert ticks[0] == ticks[1]


def test_the_harvest_is_what_the_scan_reckoned_with(run, index):
    assert index.harvest is not None
    usd = run.summary["value_at_risk"]["harvest_list_price_usd"]
    assert usd["low"] == usd["high"]  # this log has a cost of its own
    assert round(index.harvest["cost_micro_usd"] / 1e6, 2) == usd["mid"] == usd["logged"]
    assert index.harvest["unpriced_output_tokens"] == 0 < index.harvest["output_tokens"]


def test_a_reference_leads_to_its_account_and_depends_on_the_salt(run, index, tmp_path):
    account = run.table("accounts")["account_id"][0].as_py()
    ref = index.ref(account)
    assert index.account_of(ref) == account
    assert account not in ref
    assert index.account_of("0" * 24) is None
    other = open_index(run, tmp_path, salt="b")
    assert other.ref(account) != ref
    assert other.account_of(ref) is None
    other.close()


def write(folder: Path, campaigns) -> Path:
    folder.mkdir(exist_ok=True)
    text = "".join(c if isinstance(c, str) else json.dumps(c) + "\n" for c in campaigns)
    (folder / "campaigns.jsonl").write_text(text, encoding="utf-8")
    (folder / "summary.json").write_text("{}", encoding="utf-8")
    return folder


def test_a_run_with_nothing_but_its_two_files_has_an_index(tmp_path):
    member = {"account_id": "a\u202e'\"", "role": "core"}
    run = open_run(write(tmp_path / "run", [{"campaign_id": "c'1", "members": [member]}]))
    index = open_index(run, tmp_path / "index", salt="a")
    assert index.members("c'1")[0][0]["account_id"] == "a\u202e'\""
    assert (index.accounts, index.harvest, index.standings()) == (0, None, {})
    assert index.account("a") is None
    assert index.account_of(index.ref("a")) is None
    assert index.about_account("a").campaigns == []
    with pytest.raises(InputError):
        index.about_campaign("another")
    index.close()


def test_another_run_in_the_same_folder_gets_another_index(tmp_path):
    folder = write(tmp_path / "run", [{"campaign_id": "one", "members": []}])
    first = open_index(open_run(folder), tmp_path / "index", salt="a")
    assert list(first.heads) == ["one"]
    first.close()
    write(folder, [{"campaign_id": "two", "members": []}])
    os.utime(folder / "campaigns.jsonl", ns=(1, 1))
    second = open_index(open_run(folder), tmp_path / "index", salt="a")
    assert list(second.heads) == ["two"]
    second.close()
    assert len(list((tmp_path / "index").iterdir())) == 1


def test_a_broken_line_is_named_and_no_half_index_stays(tmp_path):
    run = open_run(write(tmp_path / "run", [{"campaign_id": "one", "members": []}, "{oops\n"]))
    with pytest.raises(InputError, match=r"campaigns\.jsonl:2"):
        open_index(run, tmp_path / "index", salt="a")
    assert not list((tmp_path / "index").glob("*.duckdb"))


def test_an_index_reads_nothing_outside_itself(index):
    import duckdb

    with pytest.raises(duckdb.Error):
        index._rows("SELECT * FROM read_text('/etc/hostname')")
    with pytest.raises(duckdb.Error):
        index._rows("SET enable_external_access = true")


def test_the_requests_of_a_campaign_are_those_of_its_members_with_the_templates_they_carry(
    run, index
):
    held, exchanges = index.requests, pq.read_table(run.path / "stages" / "exchanges.parquet")
    assert held is not None
    rows = exchanges.select(["exchange_id", "account_id", "end_user_id", "ts"]).to_pylist()
    campaign = max(run.campaigns, key=lambda c: c["exchanges"])
    who = {(m["account_id"], m["end_user_id"]) for m in campaign["members"]}
    mine = {r["exchange_id"] for r in rows
            if who & {(r["account_id"], None), (r["account_id"], r["end_user_id"])}}  # fmt: skip
    shown, total = held.page(campaign["campaign_id"], Asked(), most=10**6)
    assert (total, {r["exchange_id"] for r in shown}) == (len(mine), mine)
    frames = [f for f in run.frames if f["campaign_id"] == campaign["campaign_id"]]
    for place, frame in enumerate(frames, start=1):
        at = (
            "h_system"
            if frame["position"] == "system"
            else f"{frame['position']}_{frame['length']}"
        )
        hashes = zip(exchanges["exchange_id"].to_pylist(), exchanges[at].to_pylist(), strict=True)
        carry = {i for i, h in hashes if h == int(frame["hash"], 16)}
        assert len(carry) == frame["exchanges"], "the hash names the template's exchanges"
        found, _ = held.page(campaign["campaign_id"], Asked(template=place), most=10**6)
        assert {r["exchange_id"] for r in found} == carry & mine
        assert found
    assert frames


def test_a_person_is_told_as_the_scan_saw_them(run, index):
    people = pq.read_table(run.path / "stages" / "subjects.parquet").to_pylist()
    one = next(p for p in people if p["end_user_id"] is None and p["created_at"])
    told = index.person(one["account_id"])
    for name in ("created_at", "first_ts", "last_ts", "input_tokens", "output_tokens"):
        assert told[name] == one[name]
    campaign = run.campaigns[0]
    members = {m["account_id"] for m in campaign["members"]}
    dates = [p["created_at"] for p in people if p["account_id"] in members and p["created_at"]]
    assert index.signups(campaign["campaign_id"]) == (min(dates), max(dates))
    assert index.signups("c-none") is None
