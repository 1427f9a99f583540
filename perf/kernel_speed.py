"""Speed of the kernel on one core: rows/s, MB/s and where the time goes.

    python perf/kernel_speed.py [--rows 100000] [--bytes 749] [--output-bytes 0] [--repeat 3]

Prompts are real ones (``STILLWATCH_DATA``, default ../shared/data), joined and cut to ``--bytes``;
without that folder, random English-like words. CPU seconds of this process, best of ``--repeat``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import kernel
from stillwatch.kernel import arrow, batch, intents
from stillwatch.kernel.implementation import native

DATA = Path(os.environ.get("STILLWATCH_DATA", Path(__file__).parents[2] / "shared" / "data"))
BATCH_ROWS = 10_000


def corpus(role: str) -> bytes:
    """The texts of a role in all prompt files, in turn over the files, as one byte string."""
    texts: list[str] = []
    for path in sorted((DATA / "prompts").glob("*/*.parquet")):
        rows = pq.read_table(path, columns=["messages"]).slice(0, 1500)["messages"].to_pylist()
        texts += [m["content"] for row in rows for m in row if m["role"] == role and m["content"]]
    if not texts:
        words = np.random.default_rng(1).choice([f"w{i % 97}ord{i}" for i in range(5000)], 400_000)
        texts = [" ".join(words)]
    order = np.random.default_rng(2).permutation(len(texts))
    return "\n".join(texts[i] for i in order).encode()


def cuts(text: bytes, size: int) -> Iterator[str]:
    """Pieces of about ``size`` bytes, for ever; each starts one byte later in the next round."""
    for shift in cycle(range(size)):
        for at in range(shift, len(text) - size, size):
            yield text[at : at + size].decode("utf-8", "ignore")


def batches(rows: int, size: int, output_size: int) -> list[pa.RecordBatch]:
    """Exchanges of one user message each, with an answer where ``output_size`` is not 0."""
    prompts, answers = cuts(corpus("user"), size), cuts(corpus("assistant"), max(output_size, 1))
    kind = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    made = []
    for _ in range(rows // BATCH_ROWS):
        messages = [[{"role": "user", "content": next(prompts)}] for _ in range(BATCH_ROWS)]
        output = [next(answers) if output_size else None for _ in range(BATCH_ROWS)]
        made.append(
            pa.record_batch(
                {"messages": pa.array(messages, kind), "output_text": pa.array(output, pa.string())}
            )
        )
    return made


def cpu_seconds(work: Callable[[], Any], repeat: int) -> float:
    """The least CPU time of ``repeat`` runs."""
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def floor_ratio(data: list[pa.RecordBatch], repeat: int) -> dict[str, float]:
    """CPU seconds of one thread: DuckDB read + hash of a Parquet file; read, kernel, write."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = f"{folder}/text.parquet", f"{folder}/features.parquet"
        pq.write_table(pa.Table.from_batches(data), source, compression="zstd")
        sql = f"SELECT bit_xor(hash(messages[1].content)) FROM '{source}'"
        with duckdb.connect(config={"threads": 1}) as connection:
            hashing = cpu_seconds(lambda: connection.execute(sql).fetchall(), repeat)

        def extract() -> None:
            with pq.ParquetWriter(
                target, kernel.FEATURES, compression="lz4", use_dictionary=False
            ) as writer:  # hashes do not repeat: a dictionary costs 1 us a row and saves nothing
                for rows in pq.ParquetFile(source).iter_batches(
                    BATCH_ROWS, columns=["messages"], use_threads=False
                ):
                    writer.write_batch(batch(rows))

        features = cpu_seconds(extract, repeat)
    return {
        "duckdb_read_hash_s": round(hashing, 3),
        "read_kernel_write_s": round(features, 3),
        "ratio": round(features / hashing, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=749)
    parser.add_argument("--output-bytes", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    data = batches(options.rows, options.bytes, options.output_bytes)
    rows = sum(b.num_rows for b in data)
    megabytes = (
        sum(
            pa.compute.sum(pa.compute.binary_length(texts)).as_py() or 0
            for b in data
            for texts in (b["messages"].values.field("content"), b["output_text"])
        )
        / 1e6
    )
    scans = [c_pass(b) for b in data]
    batch(data[0])
    whole = cpu_seconds(lambda: [batch(b) for b in data], options.repeat)
    features = cpu_seconds(lambda: [c_pass(b) for b in data], options.repeat)
    matching = cpu_seconds(
        lambda: [
            intents.match_rows(text, np.frombuffer(starts, np.uint64))
            for spans in scans
            for text, starts in spans
        ],
        options.repeat,
    )
    print(
        json.dumps(
            {
                "rows": rows,
                "MB": round(megabytes, 1),
                "rows_per_s": round(rows / whole),
                "MB_per_s": round(megabytes / whole, 1),
                "us_per_row": round(1e6 * whole / rows, 3),
                "us_per_rowc_pass": round(1e6 * features / rows, 3),
                "us_per_row_intents": round(1e6 * matching / rows, 3),
                **floor_ratio(data, options.repeat),
            },
            indent=2,
        )
    )


def c_pass(record_batch: pa.RecordBatch) -> list[tuple[bytes, bytes]]:
    """The C loop alone, without the intent patterns."""
    compiled = native()
    if compiled is None:
        raise SystemExit("the C kernel is not built")
    rows = record_batch.num_rows
    out = pa.allocate_buffer(rows * 512)
    columns = [arrow.text_column(a) for a in arrow._arrays(record_batch).values()]
    return [
        compiled.batch(rows, first, min(first + arrow._SPAN_ROWS, rows), out, *columns)
        for first in range(0, rows, arrow._SPAN_ROWS)
    ]


if __name__ == "__main__":
    main()
