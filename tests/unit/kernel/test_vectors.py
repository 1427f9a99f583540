"""The golden vectors hold for the reference, for C row by row, and for C in a batch."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch import kernel
from stillwatch.kernel import header, intents, reference, spec, vectors

GOLDEN = Path(__file__).parents[2] / "golden" / "kernel_vectors.json"
SPEC = Path(__file__).parents[3] / "docs" / "kernel-spec.md"
VECTORS = json.loads(GOLDEN.read_text(encoding="utf-8"))["vectors"]


def features_of(name: str) -> dict[str, object]:
    found = VECTORS[name]["features"]
    return {k: bytes.fromhex(v) if k == "topic" else int(v, 16) for k, v in found.items()}


def test_golden_file_is_what_the_reference_writes() -> None:
    assert GOLDEN.read_text(encoding="utf-8") == vectors.vectors_text()


def test_c_tables_are_what_the_python_tables_say() -> None:
    assert header.HEADER.read_text(encoding="utf-8") == header.header_text()


@pytest.mark.parametrize("name", VECTORS)
def test_one_gives_the_golden_features(name: str) -> None:
    exchange = vectors.decode_exchange(VECTORS[name]["exchange"])
    assert kernel.one(exchange)._asdict() == features_of(name)


@pytest.mark.parametrize("name", VECTORS)
def test_reference_gives_the_golden_features(name: str) -> None:
    exchange = vectors.decode_exchange(VECTORS[name]["exchange"])
    bits = intents.match_slowly(reference.scan_text(exchange))
    assert reference.featurize(exchange, bits)._asdict() == features_of(name)


def test_batch_gives_the_golden_features() -> None:
    exchanges = [vectors.decode_exchange(v["exchange"]) for v in VECTORS.values()]
    message = pa.struct([("role", pa.binary()), ("content", pa.binary())])
    columns = {
        "messages": pa.array([e.get("messages") for e in exchanges], pa.list_(message)),
        "tools": pa.array([e.get("tools") for e in exchanges], pa.list_(pa.string())),
    }
    for name in ("tool_schema", "output_text", "reasoning_text", "reasoning_blob"):
        columns[name] = pa.array([e.get(name) for e in exchanges], pa.binary())
    rows = kernel.batch(pa.record_batch(columns)).to_pylist()
    assert rows == [features_of(name) for name in VECTORS]


def test_relay_continues_a_conversation_under_another_system_prompt() -> None:
    first, second = features_of("first turn"), features_of("second turn")
    assert first["prefix_full"] == second["prefix_before_last_user"] != 0


def test_order_of_tool_names_does_not_matter() -> None:
    assert features_of("tools")["h_tools"] == features_of("tools reordered")["h_tools"] != 0


def test_spec_shows_the_frozen_tables() -> None:
    text = SPEC.read_text(encoding="utf-8")
    assert text == spec.spec_with_tables(text)
    assert f"version {kernel.KERNEL_VERSION}" in text.splitlines()[0]
