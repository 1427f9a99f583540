"""A world's log as every baseline sees it: one row a request, arrays only, no truth."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch import kernel
from stillwatch.kernel import ENVELOPE, envelope
from stillwatch.stats import FloatArray, IntArray

__all__ = ["Traffic", "read_traffic"]

_HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True)
class Traffic:
    """Requests in order of time. ``account`` indexes ``names``; codes are -1 where there is none.

    ``topic``: the kernel's 64-byte projection of the user's text, as unit rows (zero rows stay
    zero). ``frame``: the first eight tokens, ``payload``: the whole last prompt, as hashes;
    ``exit``: address prefix; ``client``: client fingerprint and user agent. ``prompt``: the
    last user message, for detectors that read text.
    """

    names: list[str]
    account: IntArray
    ts_us: IntArray
    topic: FloatArray
    frame: IntArray
    payload: IntArray
    exit: IntArray
    client: IntArray
    model: IntArray
    input_tokens: FloatArray
    output_tokens: FloatArray
    prompt_bytes: FloatArray
    failed: np.ndarray
    temperature: FloatArray
    prompt: list[str]

    @property
    def accounts(self) -> int:
        return len(self.names)

    @property
    def rows(self) -> int:
        return len(self.account)

    def of(self, accounts: np.ndarray) -> Traffic:
        """Return the requests of the accounts marked true; ``names`` shrinks with them."""
        rows = np.flatnonzero(accounts[self.account])
        code = np.cumsum(accounts) - 1
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        taken = {n: v[rows] for n, v in arrays.items() if isinstance(v, np.ndarray)}
        taken["account"] = code[taken["account"]]
        return Traffic(
            **taken,
            names=[n for n, kept in zip(self.names, accounts.tolist(), strict=True) if kept],
            prompt=[self.prompt[k] for k in rows.tolist()],
        )

    @cached_property
    def volume(self) -> IntArray:
        """Return the requests of each account."""
        return np.bincount(self.account, minlength=self.accounts)

    @cached_property
    def hour(self) -> IntArray:
        """Return the hour since the first request, by request."""
        first = int(self.ts_us[0]) if self.rows else 0
        return (self.ts_us - first) // _HOUR_US

    @cached_property
    def by_account(self) -> list[IntArray]:
        """Return the rows of each account, in order of time."""
        order = np.argsort(self.account, kind="stable")
        return np.split(order, np.cumsum(self.volume)[:-1])


def read_traffic(exchanges: Path) -> Traffic:
    """Return the log under a folder of canonical Parquet files, its text passed by the kernel."""
    parts = [
        _part(batch) for file in sorted(exchanges.glob("*.parquet")) for batch in _batches(file)
    ]
    merged: dict[str, Any] = {
        name: np.concatenate([p[name] for p in parts]) for name in parts[0] if name != "prompt"
    }
    prompts = [text for p in parts for text in p["prompt"]]
    order = np.lexsort((merged["exchange_id"], merged["ts_us"]))
    names, account = np.unique(merged["account_id"][order], return_inverse=True)
    topic = merged["topic"][order]
    norm = np.linalg.norm(topic, axis=1, keepdims=True)
    codes = {n: _codes(merged[n][order]) for n in ("frame", "payload", "exit", "client")}
    return Traffic(
        names=[str(n) for n in names],
        account=account.astype(np.int64),
        ts_us=merged["ts_us"][order],
        topic=topic / np.where(norm > 0, norm, 1.0),
        frame=codes["frame"],
        payload=codes["payload"],
        exit=codes["exit"],
        client=codes["client"],
        model=np.unique(merged["model"][order], return_inverse=True)[1].astype(np.int64),
        input_tokens=merged["input_tokens"][order],
        output_tokens=merged["output_tokens"][order],
        prompt_bytes=merged["prompt_bytes"][order],
        failed=merged["failed"][order],
        temperature=merged["temperature"][order],
        prompt=[prompts[k] for k in order.tolist()],
    )


def _batches(file: Path) -> list[pa.RecordBatch]:
    return list(pq.ParquetFile(file).iter_batches(batch_size=8192))


def _part(batch: pa.RecordBatch) -> dict[str, Any]:
    text = kernel.batch(batch)
    outside = dict(zip(ENVELOPE.names, envelope(batch), strict=True))

    def numbers(name: str) -> FloatArray:
        column = pc.cast(outside[name], pa.float64())
        filled: FloatArray = pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False)
        return filled

    def hashes(column: pa.Array) -> np.ndarray:
        filled: np.ndarray = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
        return filled

    raw = b"".join(text.column("topic").to_pylist())
    status = outside["status"].to_pylist()
    return {
        "exchange_id": np.array(outside["exchange_id"].to_pylist()),
        "account_id": np.array(outside["account_id"].to_pylist()),
        "model": np.array(outside["model"].to_pylist()),
        "ts_us": pc.cast(outside["ts"], pa.int64()).to_numpy(zero_copy_only=False),
        "topic": np.frombuffer(raw, dtype=np.int8).reshape(-1, 64).astype(np.float64),
        "frame": hashes(text.column("head_8")),
        "payload": hashes(text.column("h_payload")),
        "exit": hashes(outside["h_prefix"]),
        "client": hashes(outside["h_client"]),
        "input_tokens": numbers("input_tokens"),
        "output_tokens": numbers("output_tokens"),
        "temperature": numbers("temperature"),
        "prompt_bytes": hashes(text.column("last_user_bytes")).astype(np.float64),
        "failed": np.array([s not in (None, "ok") for s in status]),
        "prompt": [_last_user(m) for m in batch.column("messages").to_pylist()],
    }


def _last_user(messages: list[dict[str, str]] | None) -> str:
    said = [m["content"] for m in messages or () if m["role"] == "user"]
    return said[-1] if said and said[-1] else ""


def _codes(hashes: np.ndarray) -> IntArray:
    """Return small integers for hashes, -1 for the hash 0, which means *absent*."""
    values, codes = np.unique(hashes, return_inverse=True)
    codes = codes.astype(np.int64)
    if len(values) and values[0] == 0:
        codes -= 1
    return codes
