"""A console over the report's synthetic worlds: real run, real case database, real application."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import run_builder
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from stillwatch.cases import open_book, open_cases, read_terms
from stillwatch.console import Desk, create_app, entry, open_home
from stillwatch.console.desk import COOKIE
from stillwatch.console.entry import add_person, begin, find_person
from stillwatch.schema import TEMPLATE_COLUMNS
from stillwatch.schema.arrow import ACCOUNT_RESULT
from stillwatch.store import open_run
from stillwatch.store.index import open_index

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
OURS = {"origin": "https://testserver", "sec-fetch-site": "same-origin"}


def write_accounts(run: Path) -> None:
    """Add the table of accounts, which the report's worlds lack: their members and one more."""
    rows = {"acct-nobody": None}
    for line in (run / "campaigns.jsonl").read_text(encoding="utf-8").splitlines():
        campaign = json.loads(line)
        rows |= {m["account_id"]: (campaign["campaign_id"], m) for m in campaign["members"]}
    pq.write_table(
        pa.Table.from_pylist(
            [
                {"account_id": name, "org_id": f"org-{n}", "segment": "pro/api",
                 "exchanges": 40 + n, "standing": held[1]["standing"] if held else "clear",
                 "access": "clear", "campaign_id": held[0] if held else None,
                 "role": held[1]["role"] if held else None, "p_value": 0.5, "e_value": 1.0,
                 "q_value": 0.001, "top_signals": []}
                for n, (name, held) in enumerate(sorted(rows.items()))
            ],
            schema=ACCOUNT_RESULT,
        ),
        run / "accounts.parquet",
    )  # fmt: skip


def write_requests(run: Path) -> None:
    """Add the table of exchanges, which the report's worlds lack: three requests a member.

    The second repeats the first's payload, and it alone carries the campaign's first template; the
    third was refused, a day later. Of 60 members of a campaign, and of somebody outside.
    """
    file = run / "stages" / "frames.jsonl"
    frames = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    frames = [f | {"length": 8, "hash": f"{n + 1:016x}"} for n, f in enumerate(frames)]
    file.write_text("".join(json.dumps(f) + "\n" for f in frames), encoding="utf-8")
    hashes = {f["campaign_id"]: (f["position"], int(f["hash"], 16)) for f in reversed(frames)}
    rows: list[dict] = []
    for line in (run / "campaigns.jsonl").read_text(encoding="utf-8").splitlines():
        campaign = json.loads(line)
        position, hashed = hashes[campaign["campaign_id"]]
        at = "h_system" if position == "system" else f"{position}_8"
        for n, who in enumerate([*campaign["members"][:60], {"account_id": "acct-nobody"}]):
            for k in range(3):
                rows.append({
                    "rid": len(rows), "account_id": who["account_id"],
                    "end_user_id": who.get("end_user_id"), "exchange_id": f"ex-{len(rows)}",
                    "ts": datetime(2026, 3, 28 + k // 2, 8 + k, n % 60, tzinfo=UTC),
                    "model": ("lumen-4", "lumen-5")[k % 2], "channel": "api",
                    "status": "refused" if k == 2 else "ok", "input_tokens": 100 + k,
                    "output_tokens": 40 * k, "reasoning_tokens": None, "n_turns": 1,
                    "system_bytes": 0, "user_bytes": 300 + n, "output_bytes": 20,
                    "h_payload": 0xFEDCBA9876543000 + 17 * n + (k == 2),
                    "method_hints": int(k == 1),
                    **{c: hashed if k == 1 and c == at else 1000 + k for c in TEMPLATE_COLUMNS},
                })  # fmt: skip
    texts = ("account_id", "end_user_id", "exchange_id", "model", "channel", "status")
    kinds = {"ts": pa.timestamp("us", tz="UTC"), "method_hints": pa.uint16()}
    kinds |= dict.fromkeys(texts, pa.string())
    kinds |= dict.fromkeys(("h_payload", *TEMPLATE_COLUMNS), pa.uint64())
    schema = pa.schema([(name, kinds.get(name, pa.int64())) for name in rows[0]])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), run / "stages" / "exchanges.parquet")


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def on(self, **span: float) -> None:
        self.now += timedelta(**span)


class Inside:
    """A browser of one person: sends the cookie and, with forms, the session's token."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.desk, self.name = desk, name
        self.http = TestClient(
            create_app(desk), base_url="https://testserver", follow_redirects=False
        )
        self.log_in()

    def log_in(self) -> None:
        from stillwatch.console.entry import resume

        person = find_person(self.desk.home, self.name.casefold())
        token = begin(self.desk.home, person, now=self.desk.clock())
        self.http.cookies.set(COOKIE, token, domain="testserver.local", path="/")
        session = resume(self.desk.home, token, now=self.desk.clock())
        assert session is not None
        self.csrf = session.csrf

    def get(self, path, **more):
        return self.http.get(path, **more)

    def post(self, path, form=None, **more):
        return self.http.post(path, data={"csrf": self.csrf, **(form or {})}, headers=OURS, **more)


@pytest.fixture(scope="session")
def worlds(tmp_path_factory):
    """Return a function from a world's name to its run, case database and index, made once."""
    made = {}

    def make(world: str) -> tuple[Path, Path, Path]:
        if world not in made:
            folder = tmp_path_factory.mktemp(f"console-{world}")
            run = run_builder.write_run(folder / "run", world)
            write_accounts(run)
            write_requests(run)
            book = open_book(folder / "cases.db")
            open_cases(book, open_run(run), now=NOON, standings=("accused", "watch"))
            book.close()
            made[world] = run, folder / "cases.db", folder / "index"
        return made[world]

    return make


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch):
    """Argon2id with the least work: a hundred log-ins at full cost would take a minute."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(entry, "_hasher", lambda: quick)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def desk_of(worlds, tmp_path, clock):
    """Return a function that opens a desk over a world; each has a database of its own."""
    opened = []

    def make(world: str = "small", **more) -> Desk:
        run_dir, database, index = worlds(world)
        shutil.copy(database, tmp_path / f"{world}.db")
        run, book = open_run(run_dir), open_book(tmp_path / f"{world}.db")
        home = open_home(tmp_path / f"home-{world}")
        held = open_index(run, index, salt="salt of the tests")
        desk = Desk(run, held, book, read_terms(), home, clock, frozenset({"testserver"}), True,
                    **more)  # fmt: skip
        for name, role in (("Vi", "viewer"), ("Ana", "analyst"), ("Apo", "approver"),
                           ("Con", "counsel"), ("Ad", "admin")):  # fmt: skip
            add_person(home, name, (role,))
        opened.append(desk)
        return desk

    yield make
    for desk in opened:
        desk.book.close()
        desk.index.close()
        desk.home.close()


@pytest.fixture
def desk(desk_of):
    return desk_of()


@pytest.fixture
def inside(desk):
    return lambda name, of=desk: Inside(of, name)


@pytest.fixture
def big_case(desk):
    """Return the id of the case with the most accused accounts."""
    return max(desk.lines(), key=lambda line: line.accused).case_id
