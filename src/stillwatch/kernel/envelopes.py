"""The part of an exchange that is not text: who, when, how much, from where, as fixed columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.kernel.arrow import text_column
from stillwatch.kernel.implementation import native
from stillwatch.kernel.origin import address_prefix, text_hash
from stillwatch.kernel.row_digest import row_digest
from stillwatch.schema.arrow import EXCHANGE

__all__ = ["DIGEST", "ENVELOPE", "address_prefix", "digest", "envelope"]

_KEPT = (
    "exchange_id", "ts", "account_id", "model", "org_id", "end_user_id", "channel", "stream",
    "temperature", "top_p", "max_tokens", "n", "seed", "top_logprobs", "reasoning_effort",
    "response_format", "status", "http_status", "input_tokens", "output_tokens",
    "reasoning_tokens",
)  # fmt: skip

ENVELOPE = pa.schema(
    [
        *(EXCHANGE.field(name) for name in _KEPT),
        pa.field("cost_micro_usd", pa.int64()),
        pa.field("h_prefix", pa.uint64()),
        pa.field("h_client", pa.uint64()),
    ]
)
DIGEST = pa.field("digest", pa.uint64(), nullable=False)


def text_hashes(words: pa.Array) -> np.ndarray:
    """Return `origin.text_hash` of each string of an array; 0 for one that is null or empty."""
    kernel = native()
    if kernel is None:
        return np.array([text_hash(word) for word in words.to_pylist()], dtype=np.uint64)
    return np.frombuffer(kernel.text_hashes(text_column(words)), dtype=np.uint64)


def _of_each(column: pa.Array, hashed: Callable[[pa.Array], np.ndarray] = text_hashes) -> pa.Array:
    """Hash each distinct value once; 0 stands for absent."""
    encoded = pc.dictionary_encode(column)
    words = encoded.dictionary
    table = np.append(hashed(words), np.uint64(0))
    codes = pc.fill_null(encoded.indices.cast(pa.int64()), len(words)).to_numpy(
        zero_copy_only=False
    )
    return pa.array(table[codes])


def _prefix_hashes(addresses: pa.Array) -> np.ndarray:
    return text_hashes(pa.array(map(address_prefix, addresses.to_pylist()), pa.string()))


def _client_hashes(clients: pa.Array) -> np.ndarray:
    neither = pc.equal(clients, "\n").to_numpy(zero_copy_only=False)
    return np.where(neither, np.uint64(0), text_hashes(clients))


def envelope(batch: pa.RecordBatch) -> list[pa.Array]:
    """Return the arrays of `ENVELOPE` for a batch in the canonical schema.

    Costs become whole micro-dollars, so that sums do not depend on their order. Addresses are
    kept only as the hash of their prefix, clients as the hash of TLS fingerprint and user agent.
    """
    columns: list[Any] = [batch.column(name) for name in _KEPT]
    micro = pc.multiply(batch.column("cost_usd"), 1e6)
    columns.append(pc.round(micro).cast(pa.int64(), safe=False))
    columns.append(_of_each(batch.column("ip"), _prefix_hashes))
    agent = pc.coalesce(batch.column("user_agent"), batch.column("client"), pa.scalar(""))
    both = pc.binary_join_element_wise(
        pc.fill_null(batch.column("ja4"), ""), pc.fill_null(agent, ""), "\n"
    )
    columns.append(_of_each(both, _client_hashes))
    return columns


def digest(columns: list[pa.Array]) -> pa.Array:
    """Return the digest of each row of `ENVELOPE` and the kernel's columns, all but exchange_id."""
    assert ENVELOPE.names[0] == "exchange_id"
    return row_digest(_of_each(c) if pa.types.is_string(c.type) else c for c in columns[1:])
