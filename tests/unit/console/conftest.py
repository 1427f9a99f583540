"""A console over the report's synthetic worlds: real run, real case database, real application."""

from __future__ import annotations

import importlib.util
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from stillwatch.cases import open_book, open_cases, read_terms
from stillwatch.console import Desk, create_app, entry, open_home
from stillwatch.console.desk import COOKIE
from stillwatch.console.entry import add_person, begin, find_person
from stillwatch.schema.arrow import ACCOUNT_RESULT
from stillwatch.store import open_run
from stillwatch.store.index import open_index

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
OURS = {"origin": "https://testserver", "sec-fetch-site": "same-origin"}


def load_builder() -> ModuleType:
    file = Path(__file__).parents[1] / "report" / "run_builder.py"
    spec = importlib.util.spec_from_file_location("console_run_builder", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    builder, made = load_builder(), {}

    def make(world: str) -> tuple[Path, Path, Path]:
        if world not in made:
            folder = tmp_path_factory.mktemp(f"console-{world}")
            run = builder.write_run(folder / "run", world)
            write_accounts(run)
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
