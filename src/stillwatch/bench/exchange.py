"""One world divided among providers, and a real hub and witness between them.

A campaign's accounts are dealt out evenly; everybody else is, with the whole organization, the
customer of one provider. Each member asks through the real client over HTTP; all that it sends and
gets is kept, to be searched for what must not be in it.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import json
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.bench.truth import Who
from stillwatch.errors import RunnerError
from stillwatch.share.client import Holders, open_home, start_home
from stillwatch.share.hub import Office, make_home
from stillwatch.simulate import SimulatedWorld

__all__ = [
    "Exchange", "Wire", "divide", "found", "now_utc", "open_exchange", "private_values",
    "write_slice",
]  # fmt: skip

_ROLES: Final = ("hub", "witness")
_MEDIA: Final = "application/taxii+json;version=2.1"
_LEAST: Final = 6


def divide(
    made: SimulatedWorld, truth: Mapping[str, Who], folder: Path, providers: int,
    slices: Sequence[int | Sequence[Sequence[int]]],
) -> dict[str, int]:  # fmt: skip
    """Write each provider's exchanges/ and accounts.csv; return whose customer an account is.

    A campaign's accounts are dealt out in the order of their names. ``slices``: by campaign, how
    many of those dealt to it each provider has, or for each provider which ones; the rest are left
    out.
    """
    with made.accounts_csv.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    owner: dict[str, int] = {}
    left_out: set[str] = set()
    for name, size in zip(sorted({w.campaign or "" for w in truth.values() if w.core}), slices,
                          strict=True):  # fmt: skip
        core = sorted(a for a, w in truth.items() if w.core and w.campaign == name)
        kept = [range(size)] * providers if isinstance(size, int) else size
        for k, account in enumerate(core):
            if k // providers in kept[k % providers]:
                owner[account] = k % providers
            else:
                left_out.add(account)
    rows = [row for row in rows if row["account_id"] not in left_out]
    for row in rows:
        number = hashlib.sha256((row["org_id"] or row["account_id"]).encode()).digest()[0]
        owner.setdefault(row["account_id"], number % providers)
    for k in range(providers):
        mine = {account for account, whose in owner.items() if whose == k}
        write_slice(made, folder / f"provider{k}", rows, mine)
    return owner


def write_slice(
    made: SimulatedWorld, folder: Path, rows: Sequence[Mapping[str, str]],
    accounts: Collection[str],
) -> None:  # fmt: skip
    """Write exchanges/ and accounts.csv of the accounts; ``rows``: everybody's in accounts.csv."""
    (folder / "exchanges").mkdir(parents=True)
    wanted = pa.array(sorted(accounts))
    for path in made.files["parquet"]:
        table = pq.read_table(path)
        kept = table.filter(pc.is_in(table["account_id"], value_set=wanted))
        pq.write_table(kept, folder / "exchanges" / path.name)
    with (folder / "accounts.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, fieldnames=list(rows[0]))
        out.writeheader()
        out.writerows(row for row in rows if row["account_id"] in accounts)


class Wire(httpx.HTTPTransport):
    """Real HTTP, of which every byte of both sides' messages is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[bytes] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and keep it and its answer."""
        answer = super().handle_request(request)
        answer.read()
        line = f"{request.method} {request.url}\n{dict(request.headers)}\n".encode()
        self.kept += [line, request.read(), b"\n", answer.content, b"\n"]
        return answer

    def bytes(self) -> bytes:
        """Return all that was said."""
        return b"".join(self.kept)


def found(values: Iterable[str], wire: bytes) -> list[str]:
    """Return the values of six letters and more that are in it: plain, in hex, Base64 or hashed.

    By length of what is looked for, against all passages of that length: one pass a length, where a
    search a value would read the whole wire for each of a hundred thousand.
    """
    by_length: dict[int, list[tuple[bytes, str]]] = {}
    for value in set(values):
        if len(value) >= _LEAST:
            for form in _forms(value):
                by_length.setdefault(len(form), []).append((form, value))
    hits: set[str] = set()
    for length, forms in by_length.items():
        passages = {wire[i : i + length] for i in range(len(wire) - length + 1)}
        hits |= {value for form, value in forms if form in passages}
    return sorted(hits)


def _forms(value: str) -> set[bytes]:
    raw = value.encode()
    return {
        raw, json.dumps(value)[1:-1].encode(), raw.hex().encode(),
        base64.b64encode(raw).rstrip(b"="), hashlib.sha256(raw).hexdigest().encode(),
    }  # fmt: skip


def private_values(
    exchanges: Path, accounts: Path, core: Collection[str]
) -> tuple[set[str], set[str]]:
    """Return every identifier of a provider's log and accounts, and every text of some accounts."""
    log = pq.read_table(exchanges)
    names = (
        "exchange_id",
        "account_id",
        "org_id",
        "key_id",
        "end_user_id",
        "conversation_id",
        "ip",
    )
    values = {v for name in names if name in log.column_names for v in log[name].to_pylist() if v}
    with accounts.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            values |= {v for k, v in row.items() if k.endswith(("_id", "_hash", "_ip")) and v}
    theirs = pa.array(sorted(core), pa.string())  # of a world without campaigns, none
    said = log.filter(pc.is_in(log["account_id"], value_set=theirs))["messages"]
    texts = {m["content"] for one in said.to_pylist() for m in one or ()}
    return values, texts


@dataclass
class Exchange:
    """A hub and a witness that run, and the members that asked."""

    folder: Path
    urls: Mapping[str, str]
    wires: dict[str, Wire] = field(default_factory=dict)

    def propose(
        self, name: str, suspected: Sequence[str], asked: Sequence[str], *, now: datetime
    ) -> list[str]:
        """Admit a member if it is new, let it vote and ask; return what is corroborated."""
        with self._holders(name, now) as holders:
            holders.pin()
            return holders.propose(suspected, asked, now=now)

    @contextlib.contextmanager
    def _holders(self, name: str, now: datetime) -> Iterator[Holders]:
        home = self.folder / name
        if not home.exists():
            start_home(home, contributor=uuid.uuid4())
            tokens = {
                role: Office(self.folder / role).add_member(name, now=now)[1] for role in _ROLES
            }
            (home / "tokens.json").write_text(json.dumps(tokens))
            today = now.date()
            with (home / "share.toml").open("a", encoding="utf-8") as file:
                file.write(
                    '[[legal_basis]]\nname = "of the benchmark"\nsource = "none"\n'
                    f"since = {today - timedelta(days=1)}\nuntil = {today + timedelta(days=30)}\n"
                    'reviewed_by = "nobody"\npurposes = ["detection"]\n'
                )
        tokens = json.loads((home / "tokens.json").read_text())
        wire = self.wires.setdefault(name, Wire())
        http = {
            role: httpx.Client(
                base_url=self.urls[role], transport=wire, timeout=60,
                headers={"Authorization": f"Bearer {tokens[role]}", "Accept": _MEDIA,
                         "Accept-Encoding": "identity", "X-Stillwatch-Purpose": "detection"},
            )
            for role in _ROLES
        }  # fmt: skip
        with Holders(open_home(home), http) as holders:
            yield holders

    def events(self, role: str) -> dict[str, int]:
        """Return how often each thing is in a ledger."""
        counts: dict[str, int] = {}
        for one in Office(self.folder / role).events(None, None):
            counts[one["action"]] = counts.get(one["action"], 0) + 1
        return counts


@contextlib.contextmanager
def open_exchange(folder: Path) -> Iterator[Exchange]:
    """Make a hub and a witness, and serve each in a process of its own.

    Raises:
        RunnerError: one does not answer within 30 s.
    """
    urls: dict[str, str] = {}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for role in _ROLES:
            home = folder / role
            make_home(
                home, title=f"The benchmark's {role}", database="sqlite:///hub.sqlite", role=role
            )
            Office(home).migrate()
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            words = ["hub", "serve", "--home", str(home), "--port", str(port)]
            processes.append(subprocess.Popen([sys.executable, "-m", "stillwatch.cli", *words]))
            urls[role] = f"http://127.0.0.1:{port}/"
            _wait(urls[role])
        yield Exchange(folder, urls)
    finally:
        for process in processes:
            process.terminate()
            process.wait(30)


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"{url}health/", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RunnerError("does not answer", where=url)


def now_utc() -> datetime:
    """Return this moment: keys, releases and quotas of the real parts are of today."""
    return datetime.now(UTC)
