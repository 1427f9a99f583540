"""Each file of fixtures/bad has one defect: what is read, refused and said, to the last row."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stillwatch.errors import InputError
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources import Inputs, ingest, open_inputs

BAD = Path(__file__).parents[2] / "fixtures" / "bad"
NOW = datetime(2026, 11, 25, tzinfo=UTC)


class Want(NamedTuple):
    """Rows kept, the (line, reason, field) of those refused, and what else is counted."""

    kept: int
    refused: tuple[tuple[int, str, str], ...] = ()
    coerced: dict[str, int] = {}  # noqa: RUF012
    zoneless: int = 0


MENDED = {"JSON mended: invalid UTF-8, NaN or control characters": 1}
READABLE = {
    "wrong_type.csv": Want(
        18,
        ((5, "wrong type", "input_tokens"), (8, "wrong type", "cost_usd")),
        {"cost_usd: type": 19, "input_tokens: type": 19},
    ),
    "wrong_type_chosen_by_the_client.csv": Want(
        20, (), {"temperature: type": 19, "temperature: unreadable, set to null": 1}
    ),
    "not_a_number.csv": Want(
        20,
        (),
        {
            "cost_usd: not a number, set to null": 1,
            "temperature: not a number, set to null": 1,
        },
    ),
    "negative_tokens.csv": Want(
        18, ((5, "negative tokens", "input_tokens"), (6, "negative tokens", "output_tokens"))
    ),
    "time_without_zone.csv": Want(20, zoneless=1),
    "time_in_the_future.csv": Want(19, ((5, "time in the future", "ts"),)),
    "time_before_language_models.csv": Want(19, ((5, "time before 2015", "ts"),)),
    "time_that_is_none.csv": Want(19, ((5, "no readable time", "ts"),)),
    "missing_account.csv": Want(19, ((5, "required value missing", "account_id"),)),
    "duplicate_ids.csv": Want(23),
    "out_of_order.csv": Want(20),
    "uneven_records.csv": Want(
        20, ((21, "wrong number of fields", ""), (22, "wrong number of fields", ""))
    ),
    "invalid_utf8.csv": Want(20, (), {"invalid UTF-8 replaced": 2}),
    "nul_bytes.csv": Want(20),
    "deep.litellm.jsonl": Want(19, ((5, "JSON nested too deeply", ""),)),
    "malformed_line.litellm.jsonl": Want(19, ((5, "malformed JSON", ""),)),
    "truncated_last_line.litellm.jsonl": Want(19, ((20, "JSON ends early", ""),)),
    "broken_array.litellm.json": Want(19, ((20, "JSON breaks here, the rest cannot be read", ""),)),
    "invalid_utf8.litellm.jsonl": Want(20, (), MENDED),
    "lone_surrogate.litellm.jsonl": Want(20, (), MENDED),
    "huge_number.litellm.jsonl": Want(19, ((1, "wrong type", "input_tokens"),)),
    "line_that_is_no_object.litellm.jsonl": Want(
        20, ((21, "not a JSON object", ""), (22, "not a JSON object", ""))
    ),
    "one_without_account.otlp.jsonl": Want(19, ((5, "required value missing", "account_id"),)),
    "wrong_shape.otlp.jsonl": Want(
        20, ((21, "resourceSpans is no list", ""), (22, "spans holds what is no object", ""))
    ),
    "no_start_time.otlp.jsonl": Want(19, ((5, "no readable time", "ts"),)),
    "truncated_last_line.otlp.jsonl": Want(19, ((20, "JSON ends early", ""),)),
    "event_without_its_span.otlp.jsonl": Want(20, ((21, "message event without its span", ""),)),
}
UNREADABLE = {
    "header_alone.csv": "no exchanges in the input",
    "no_required_column.csv": r":1: 20 of 20 rows cannot be read .*required column missing",
    "column_twice.csv": "column model occurs twice",
    "truncated.litellm.jsonl.gz": "damaged or truncated compressed data",
    "no_account.litellm.jsonl": r":1: 20 of 20 rows cannot be read .*account_id",
    "empty.jsonl": "every input file is empty",
    "blank_lines.jsonl": "format not recognised",
    "no_account.otlp.jsonl": r":1: 20 of 20 rows .*set one of stillwatch\.account_id, user\.id",
    "no_spans.otlp.jsonl": "no exchanges in the input",
    "truncated.parquet": "damaged or truncated Parquet",
    "damaged_page.parquet": r":1: damaged Parquet",
    "truncated.arrow": "damaged or truncated Arrow",
}


def opened(name: str, **options: Any) -> Inputs:
    return open_inputs([BAD / name], now=NOW, **options)


def test_every_file_is_tested_and_every_test_has_its_file() -> None:
    assert {path.name for path in BAD.iterdir()} == READABLE.keys() | UNREADABLE.keys()


@pytest.mark.parametrize("name", READABLE)
def test_read_is_kept_and_refused_together(name: str) -> None:
    want = READABLE[name]
    inputs = opened(name, max_rejects=1.0)
    kept = 0
    for batch in inputs.batches():
        assert batch.schema == EXCHANGE
        batch.validate(full=True)
        kept += batch.num_rows
    ledger = inputs.ledger
    assert kept == want.kept == ledger.rows_accepted
    assert ledger.rows_read == kept + len(want.refused)
    assert tuple((r.line, r.reason, r.field) for r in sorted(ledger.rejected)) == want.refused
    assert dict(ledger.coerced) == want.coerced
    assert ledger.zoneless_times == want.zoneless


@pytest.mark.parametrize("name", [name for name, want in READABLE.items() if want.refused])
def test_one_in_twenty_is_more_than_one_in_a_hundred(name: str, tmp_path: Path) -> None:
    inputs = opened(name)
    with pytest.raises(InputError, match=f"{name}:[0-9]+: ") as caught:
        ingest(inputs, tmp_path)
    assert caught.value.hint
    assert "question" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", UNREADABLE)
def test_the_error_says_where_what_and_what_next(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=UNREADABLE[name]) as caught:
        ingest(opened(name), tmp_path)
    assert name in caught.value.where or name == "empty.jsonl"
    assert caught.value.hint
    assert "question" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_repeats_are_dropped_and_counted_and_order_does_not_matter(tmp_path: Path) -> None:
    results = {}
    for name in ("duplicate_ids.csv", "out_of_order.csv"):
        inputs = opened(name)
        results[name] = ingest(inputs, tmp_path / name)
        assert inputs.ledger.rows_read == results[name].rows + results[name].duplicates
    assert [r.duplicates for r in results.values()] == [3, 0]
    first, second = (r.files[0].read_bytes() for r in results.values())
    assert first == second
