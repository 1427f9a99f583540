"""Three providers and a hub on loopback: `python examples/exchange/exchange.py --out DIR`.

1. a campaign is divided among three providers, each with customers of its own;
2. each scans its own log;
3. whoever accuses releases the campaign: two persons, two keys, the real client;
4. each pulls what the others shared and scans again with the indicators;
5. the report says what each learned, and what went over the wire.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
from findings import page, summary
from slices import split, world_of
from wire import Relay, found_passages, found_values

PROVIDERS: Final = ("alder", "birch", "cedar")
PEOPLE: Final = ("alice", "bob")
_VARIABLE: Final = "STILLWATCH_HUB_TOKEN"
_LOG_VALUES: Final = ("exchange_id", "account_id", "org_id", "workspace_id", "key_id",
                      "end_user_id", "conversation_id", "trace_id", "ip", "ja4")  # fmt: skip
_ACCOUNT_VALUES: Final = ("account_id", "org_id", "email_hash", "phone_hash", "payment_hash",
                          "device_hash", "signup_ip", "owner_entity_id")  # fmt: skip
_NO_PORT: Final = "the hub does not answer"


@dataclass
class Provider:
    """A provider: its folder, its login at the hub, and what happened to it."""

    name: str
    folder: Path
    token: str = ""
    relay: Relay | None = None
    accused_alone: list[dict[str, Any]] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    pulled: str = ""

    def run(self, *words: str, codes: Sequence[int] = (0,)) -> str:
        """Run a command of the provider in a process of its own, with its token alone."""
        return command(*words, codes=codes, token=self.token)

    def share(self, *words: str) -> str:
        return self.run("share", *words, "--home", str(self.folder / "share"))


def command(*words: str, codes: Sequence[int] = (0,), token: str = "") -> str:
    """Run `stillwatch` and return what it prints; raise what it says if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "stillwatch.cli", *words],
        env={**os.environ, _VARIABLE: token}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in codes:
        raise RuntimeError(f"stillwatch {words[0]} … ended with {done.returncode}: {done.stderr}")
    return done.stdout


def open_hub(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Make a hub and serve it in a process of its own; return the process and its port."""
    command("hub", "init", "--home", str(folder), "--title", "Exchange of the example")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    words = ["hub", "serve", "--home", str(folder), "--port", str(port)]
    process = subprocess.Popen([sys.executable, "-m", "stillwatch.cli", *words])
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/", timeout=5):
                return process, port
        except OSError:
            time.sleep(0.1)
    process.terminate()
    raise RuntimeError(_NO_PORT)


def join(provider: Provider, hub: Path, port: int, wire: Path, now: datetime) -> None:
    """Admit a provider to the hub, and fill in its share.toml."""
    told = command("hub", "member", "add", f"contract of {provider.name}", "--home", str(hub))
    _, provider.token, identity = told.split()
    provider.relay = Relay(port, wire, provider.name)
    provider.share("start", "--contributor", identity)
    people = "".join(provider.share("keys", person) for person in PEOPLE)
    today = now.date()
    with (provider.folder / "share" / "share.toml").open("a", encoding="utf-8") as file:
        file.write(
            f'[hub]\nurl = "http://127.0.0.1:{provider.relay.port}/exchange/"\n'
            f'collection = "technical"\ntoken_env = "{_VARIABLE}"\n{people}'
            f'[[legal_basis]]\nname = "of the example"\nsource = "none: nothing here is real"\n'
            f"since = {today - timedelta(days=1)}\nuntil = {today + timedelta(days=30)}\n"
            'reviewed_by = "nobody"\npurposes = ["detection", "correction"]\n'
        )


def scan(provider: Provider, out: str, *more: str) -> list[dict[str, Any]]:
    """Scan the provider's own log; return its campaigns."""
    run = provider.folder / out
    provider.run(
        "scan", str(provider.folder / "exchanges"), "--accounts",
        str(provider.folder / "accounts.csv"), "--out", str(run), "--quiet", *more, codes=(0, 3),
    )  # fmt: skip
    return [json.loads(line) for line in (run / "campaigns.jsonl").read_text().splitlines()]


def release(provider: Provider) -> None:
    """Put accused campaigns into the outbox, have two persons sign, and send them."""
    told = provider.share("prepare", str(provider.folder / "alone"))
    provider.packages = [line.split(":")[0] for line in told.splitlines()]
    for package in provider.packages:
        for verb, person in zip(("review", "release"), PEOPLE, strict=True):
            key = provider.folder / "share" / "keys" / person
            provider.share(verb, package, "--as", person, "--key", str(key))


def private_values(folder: Path) -> tuple[set[str], set[str]]:
    """Return every identifier of the world, and every text that anybody wrote or was answered."""
    log = pq.read_table(folder / "exchanges")
    values = {v for name in _LOG_VALUES for v in log[name].to_pylist() if v}
    head, *rows = (folder / "accounts.csv").read_text(encoding="utf-8").splitlines()
    places = [head.split(",").index(name) for name in _ACCOUNT_VALUES]
    values |= {row.split(",")[k] for row in rows for k in places}
    texts = {m["content"] for said in log["messages"].to_pylist() for m in said or ()}
    texts |= {t for name in ("output_text", "tool_schema") for t in log[name].to_pylist() if t}
    return values - {""}, texts


def searched(providers: Sequence[Provider], world: Path) -> dict[str, Any]:
    """Search the record of the wire for everything that must not be in it, and for what must."""
    wire = b"\n".join(p.relay.bytes() for p in providers if p.relay is not None)
    values, texts = private_values(world)
    shared = [
        value for p in providers for line in _lines(p.folder / "share/pulled/indicators.jsonl")
        if (value := line["value"].encode())
    ]  # fmt: skip
    return {
        "bytes": len(wire), "identifiers": len(values), "texts": len(texts),
        "identifiers_found": found_values(values, wire),
        "passages_found": found_passages(texts, wire),
        "fingerprints": len(set(shared)),
        "fingerprints_found": sum(value in wire for value in set(shared)),
    }  # fmt: skip


def standings(provider: Provider, out: str, guilty: set[str]) -> dict[str, dict[str, int]]:
    """Return how many accounts stand how, those of the campaign (the world knows) and the rest."""
    counts: dict[str, dict[str, int]] = {"campaign": {}, "others": {}}
    table = pq.read_table(provider.folder / out / "accounts.parquet")
    for account, standing in zip(
        table["account_id"].to_pylist(), table["standing"].to_pylist(), strict=True
    ):
        side = counts["campaign" if account in guilty else "others"]
        side[standing] = side.get(standing, 0) + 1
    return counts


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def exchange(out: Path, *, seed: int, scale: float, shares: Sequence[int]) -> dict[str, Any]:
    """Play the whole exchange under ``out`` and return what report.html says."""
    began, now = time.monotonic(), datetime.now(UTC)
    print(
        f"A campaign of {sum(shares)} accounts, divided among {', '.join(PROVIDERS)} …", flush=True
    )
    made, owner = split(world_of(scale, sum(shares)), seed, out, PROVIDERS, shares)
    providers = [Provider(name, out / name) for name in PROVIDERS]
    (out / "wire").mkdir()
    process, port = open_hub(out / "hub")
    try:
        for provider in providers:
            join(provider, out / "hub", port, out / "wire", now)
            found = scan(provider, "alone")
            provider.accused_alone = [c for c in found if c["standing"] == "accused"]
            print(
                f"{provider.name} joined the hub and scanned its own log: "
                f"campaigns accused: {len(provider.accused_alone)}.", flush=True,
            )  # fmt: skip
        for provider in providers:
            if provider.accused_alone:
                release(provider)
                print(
                    f"{provider.name}: {' and '.join(PEOPLE)} signed, {len(provider.packages)} "
                    "campaigns went to the hub.", flush=True,
                )  # fmt: skip
        for provider in providers:
            provider.pulled = provider.share("pull")
            told = str(provider.folder / "share/pulled/indicators.jsonl")
            scan(provider, "together", "--indicators", told)
            provider.share("audit")
            known = len(_lines(Path(told)))
            print(f"{provider.name} pulled {known} fingerprints and scanned again.", flush=True)
    finally:
        process.terminate()
        process.wait(30)
        for provider in providers:
            if provider.relay is not None:
                provider.relay.close()
    command("hub", "verify", "--home", str(out / "hub"))
    truth = pq.read_table(made.truth_parquet, columns=["account_id", "campaign"]).to_pylist()
    guilty = {row["account_id"] for row in truth if row["campaign"]}
    result = {
        "seed": seed, "exchanges": made.exchanges, "accounts": made.accounts,
        "providers": [about(p, guilty, owner) for p in providers],
        "wire": searched(providers, out / "world"),
        "events": _lines_of(command("hub", "events", "--home", str(out / "hub"))),
        "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip
    (out / "result.json").write_text(json.dumps(result, indent=2, sort_keys=True) + "\n")
    (out / "report.html").write_text(page(result), encoding="utf-8")
    return result


def about(provider: Provider, guilty: set[str], owner: Mapping[str, str]) -> dict[str, Any]:
    """Return what the report says of a provider."""
    home = tomllib.loads((provider.folder / "share/share.toml").read_text())
    return {
        "name": provider.name, "contributor": home["contributor"],
        "accounts": sum(whose == provider.name for whose in owner.values()),
        "of_the_campaign": sum(owner[account] == provider.name for account in guilty),
        "accused_alone": len(provider.accused_alone), "released": len(provider.packages),
        "indicators": _lines(provider.folder / "share/pulled/indicators.jsonl"),
        "pulled": provider.pulled, "alone": standings(provider, "alone", guilty),
        "together": standings(provider, "together", guilty),
        "shared": _lines(provider.folder / "together" / "shared.jsonl"),
    }  # fmt: skip


def _lines_of(text: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for line in text.splitlines():
        action = str(json.loads(line)["action"])
        counts[action] = counts.get(action, 0) + 1
    return counts


def main() -> int:
    """Play it, say where the report is; 1 when the wire held what it must not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo-share"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scale", type=float, default=0.28, help="of the demo world's people")
    parser.add_argument("--shares", type=int, nargs=3, default=[20, 3, 3])
    given = parser.parse_args()
    if given.out.exists():
        if not (given.out / "result.json").exists() and any(given.out.iterdir()):
            parser.error(f"{given.out} holds other things")
        shutil.rmtree(given.out)
    result = exchange(given.out, seed=given.seed, scale=given.scale, shares=given.shares)
    wire = result["wire"]
    leaked = len(wire["identifiers_found"]) + len(wire["passages_found"])
    print("\n".join(("", *summary(result), "", f"{result['seconds']} s. The report:")))
    print(given.out / "report.html")
    return 1 if leaked else 0


if __name__ == "__main__":
    sys.exit(main())
