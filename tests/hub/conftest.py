"""Real hubs: a process of its own on loopback, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from ports import free_port

from stillwatch.share.hub import Office, make_home

TAXII = "application/taxii+json;version=2.1"
PLAIN = ssl.create_default_context()  # made once: it costs more than a request
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@dataclass
class Login:
    """A member as its own client knows it."""

    pseudonym: str
    token: str


@dataclass
class Server:
    """A hub's folder and the process that serves it."""

    home: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    logins: dict[tuple[Any, ...], Login] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def office(self) -> Office:
        return Office(self.home)

    def start(
        self,
        *options: str,
        wrapper: tuple[str, ...] = (),
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self.port = free_port()
        self.log = self.home / "serve.log"
        command = [*wrapper, sys.executable, "-m", "stillwatch.cli", "hub", "serve"]
        words = ["--home", str(self.home), "--port", str(self.port), *options]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [*command, *words], stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )
        url = self.url if trust is None else self.url.replace("http:", "https:")
        until = time.monotonic() + 240
        while time.monotonic() < until:
            try:
                if httpx.get(f"{url}/health/", verify=trust or PLAIN).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"the hub did not start: {self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(120)
            self.process = None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(120)
        self.process = None

    def login(self, role: str = "contributor", tier: str = "member", **more: Any) -> Login:
        """Return a member of a role and tier, always the same one for the same words."""
        key = (role, tier, *sorted(more.items()))
        if key not in self.logins:
            options = {k: v for k, v in more.items() if k != "number"}
            made = self.office.add_member("x", now=NOW, role=role, tier=tier, **options)
            self.logins[key] = Login(*made)
        return self.logins[key]

    def collection(self, **more: Any) -> str:
        return self.office.add_collection("api", title="A collection", now=NOW, **more)

    def client(self, login: Login | None = None, **headers: str) -> httpx.Client:
        own = {"Accept": TAXII, **headers}
        if login is not None:
            own["Authorization"] = f"Bearer {login.token}"
        return httpx.Client(base_url=self.url, headers=own, timeout=180, verify=PLAIN)


def make_server(home: Path, database: str, settings: str = "", rules: str = "structure") -> Server:
    make_home(home, title="A hub", database=database, rules=rules)
    if settings:
        with (home / "hub.toml").open("a") as file:
            file.write(settings)
    server = Server(home)
    server.office.migrate()
    server.office.add_root("api", title="A root")
    return server


@pytest.fixture(scope="session")
def hub_maker() -> Callable[..., Server]:
    """Makes a hub of which the caller takes care: ``hub_maker(home, url, settings)``."""
    return make_server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Runs what asks for it once on each kind of database."""
    return str(request.param)


@pytest.fixture
def database(database_kind: str, request: pytest.FixtureRequest) -> str:
    """The URL of a database for one test alone: a file in its hub's folder, or PostgreSQL's."""
    return new_database(database_kind, request)


@pytest.fixture(scope="module")
def module_database(database_kind: str, request: pytest.FixtureRequest) -> str:
    """The URL of a database for the tests of one module."""
    return new_database(database_kind, request)


def new_database(kind: str, request: pytest.FixtureRequest) -> str:
    """Return the URL of a database of a kind that nobody else uses."""
    if kind == "sqlite":
        return "sqlite:///hub.sqlite"
    url: str = request.getfixturevalue("postgres").database(f"own_{uuid.uuid4().hex}")
    return url


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A hub that all tests of one database share; each makes its own collections."""
    url = new_database(request.param, request)
    server = make_server(tmp_path_factory.mktemp(request.param) / "hub", url)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def new_hub(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes a hub for one test; what it started is stopped afterwards."""
    made: list[Server] = []

    def make(
        database: str = "sqlite:///hub.sqlite", settings: str = "", rules: str = "structure"
    ) -> Server:
        made.append(make_server(tmp_path / f"hub{len(made)}", database, settings, rules))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def server_of() -> Iterator[Callable[[Path], Server]]:
    """Serves a hub's folder as it is; what it started is stopped afterwards."""
    made: list[Server] = []

    def make(home: Path) -> Server:
        made.append(Server(home))
        return made[-1]

    yield make
    for server in made:
        server.stop()


def indicator(**more: Any) -> dict[str, Any]:
    """Return a valid indicator with an id of its own."""
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid4()}",
        "created": "2026-11-01T00:00:00.000Z",
        "modified": "2026-11-01T00:00:00.000Z",
        "name": "A frame of a campaign",
        "pattern": "[artifact:hashes.'SHA-256' = 'aa']",
        "pattern_type": "stix",
        "valid_from": "2026-11-01T00:00:00Z",
        **more,
    }


class Shelf:
    """One collection, and the requests that tests make of it."""

    def __init__(self, server: Server, identifier: str) -> None:
        self.server, self.id = server, identifier
        self.path = f"/api/collections/{identifier}/"
        self.objects = f"{self.path}objects/"

    def add(self, login: Login, *stix: Any, **headers: str) -> dict[str, Any]:
        """Submit, demand that the envelope was taken, return the status resource."""
        with self.server.client(login, **{"Content-Type": TAXII, **headers}) as client:
            answer = client.post(self.objects, json={"objects": list(stix)})
        assert answer.status_code == 202, answer.text
        return answer.json()

    def get(self, login: Login | None, path: str = "objects/", **parameters: Any) -> httpx.Response:
        with self.server.client(login) as client:
            return client.get(self.path + path, params=parameters)

    def ids(self, login: Login, path: str = "objects/", **parameters: Any) -> list[str]:
        answer = self.get(login, path, **parameters)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json().get("objects", [])]


@pytest.fixture
def shelf(hub: Server) -> Shelf:
    return Shelf(hub, hub.collection())


@pytest.fixture(scope="session")
def made_and_stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a hub on SQLite that took an object, gave it out three times, and ended."""
    server = make_server(tmp_path_factory.mktemp("stopped") / "hub", "sqlite:///hub.sqlite")
    server.start()
    shelf, me = Shelf(server, server.collection()), server.login()
    shelf.add(me, indicator())
    for _ in range(3):
        shelf.get(me)
    server.stop()
    return server.home


@pytest.fixture
def four_events(made_and_stopped: Path, tmp_path: Path) -> Server:
    """A copy of it, to be spoilt."""
    return Server(shutil.copytree(made_and_stopped, tmp_path / "four-events"))


@pytest.fixture(scope="session")
def make_indicator() -> Callable[..., dict[str, Any]]:
    return indicator


@pytest.fixture(scope="session")
def make_shelf() -> Callable[..., Shelf]:
    """Make a collection on a hub: ``make_shelf(server, alias=…)``."""

    def make(server: Server, **more: Any) -> Shelf:
        return Shelf(server, server.collection(**more))

    return make


@pytest.fixture
def me(hub):
    return hub.login()


@pytest.fixture
def both(hub, make_shelf):
    """A collection that takes STIX 2.0 and 2.1."""
    return make_shelf(hub, spec_versions=("2.0", "2.1"))


@pytest.fixture
def filled(shelf, me, make_indicator):
    """Five indicators, of which the first has three versions."""
    made = [make_indicator() for _ in range(5)]
    later = [{**made[0], "modified": f"2026-11-0{day}T00:00:00.000Z"} for day in (2, 3)]
    assert shelf.add(me, *made, *later)["success_count"] == 7
    shelf.made = made
    return shelf
