"""Files that are no log are told for what they are, with the place and the next step."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from first_afternoon import (
    PAYLOAD,
)

from stillwatch.errors import InputError
from stillwatch.sources import open_inputs


@pytest.mark.parametrize(
    ("head", "got", "step"),
    [
        (b"PK\x03\x04rest", "a ZIP archive", "unpack it"),
        (b"x" * 257 + b"ustar\x0000", "a tar archive", "unpack it"),
        (gzip.compress(b"x" * 257 + b"ustar\x0000", mtime=0), "a tar archive", "unpack it"),
        (b"BZh91AY", "compressed with bzip2", ".gz and .zst are read"),
        (b"\xfd7zXZ\x00", "compressed with xz", ".gz and .zst are read"),
        (b"Obj\x01\x04", "Avro", "convert it to Parquet"),
        (b"SQLite format 3\x00", "an SQLite database", "CSV or JSON lines"),
        (b"%PDF-1.7", "a PDF", "give the logs alone"),
        (b"\n<html><title>Sign in", "HTML or XML", "sign-in page"),
        (b"\n \n\n", "blank lines alone", "is the export finished"),
        (b"[]\n", "JSON that holds nothing", "is the export finished"),
        (
            b'{"_source": {"secret": 1}}',
            "JSON whose records lie under '_source'",
            "jq -c '._source'",
        ),
        (b'{"log": "{\\"secret\\": 1}\\n"}\n', "JSON whose records lie under 'log'", "fromjson"),
        (b'2026-11-01 out {"secret": 1}\n', "lines of JSON behind other text", "sed"),
        (b'[2026-11-01 00:00:00] {"secret": 1}\n', "lines of JSON behind other text", "sed"),
        (b'{"startTime": 1}\n{"secret": "call_type"}', "JSON with the keys of no known", "--sugg"),
        (b'{"secret": "value"}\n', "JSON with the keys of no known format", "--suggest"),
        (b"Dear secret,\nthe logs", "text, neither JSON nor a table", "--suggest"),
        ("\u00fcb".encode()[:3] + b"\xe2\x82", "text, neither", "--suggest"),
        (b"secret\x00\x01\x02", "binary data of no known kind", "give the logs alone"),
    ],
)
def test_a_file_that_is_no_log_is_told_for_what_it_is(
    tmp_path: Path, head: bytes, got: str, step: str
) -> None:
    (tmp_path / "odd").write_bytes(head)
    with pytest.raises(InputError) as caught:
        open_inputs([tmp_path / "odd"])
    assert caught.value.where == "odd"
    assert caught.value.message.startswith(f"format not recognised: {got}")
    assert step in caught.value.hint
    assert "secret" not in str(caught.value)


def test_a_format_that_was_named_wrongly_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(PAYLOAD), "utf-8")
    opened = open_inputs([log], format="otlp")
    with pytest.raises(InputError, match=r"leave --format out: log\.jsonl looks like litellm"):
        list(opened.batches())


@pytest.mark.parametrize("format", ["csv", "parquet", "arrow"])
def test_a_table_that_is_none_tells_nothing_of_its_first_line(tmp_path: Path, format: str) -> None:
    """Whoever names the format wrongly finds no prompt among the columns that were ignored."""
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({**PAYLOAD, "note": 'a secret, "stream", more'}), "utf-8")
    with pytest.raises(InputError, match=r"leave --format out: log\.jsonl looks like litellm"):
        list((opened := open_inputs([log], format=format)).batches())
    if format == "csv":
        assert opened.ledger.ignored_columns == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([""], r"there is no file in it.*begin with \. or _ are left out"),
        (["none"], r"none: no such file or directory.*give files"),
        (["*.log"], r"\*\.log: no file matches.*ls"),
        (["empty.jsonl"], r"empty\.jsonl: every input file is empty.*finished"),
    ],
)
def test_nothing_to_read_is_told_with_place_and_next_step(
    tmp_path: Path, given: list[str], said: str
) -> None:
    (tmp_path / ".hidden").write_text("{}", "utf-8")
    if given == ["empty.jsonl"]:
        (tmp_path / "empty.jsonl").touch()
    with pytest.raises(InputError, match=said):
        open_inputs([tmp_path / name for name in given])
