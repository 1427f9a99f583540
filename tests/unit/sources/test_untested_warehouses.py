"""What can be tried of ClickHouse, BigQuery and Snowflake without any of them.

The stream is ClickHouse's own (its engine within a process wrote it); the server that hands it
out is not. The drivers of the other two are not installed, and what is told then is tested.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest

from stillwatch.errors import ConfigError, InputError
from stillwatch.sources import open_inputs

STREAM = (Path(__file__).parents[2] / "fixtures" / "clickhouse" / "log.arrow").read_bytes()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["content-length"]))
        server.asked.append((self.path, dict(self.headers), body))
        status, raw = server.answer
        self.send_response(status)
        if status != 200:
            self.send_header("X-ClickHouse-Exception-Code", "62")
            self.send_header("Location", "http://127.0.0.1:9/")
        self.send_header("Content-Length", str(len(raw) + server.missing))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def house() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answer, server.missing = [], (200, STREAM), 0
    server.address = f"clickhouse://reader@127.0.0.1:{server.server_port}/gateway?secure=0"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def asked(folder: Path, text: str = "SELECT * FROM log") -> Path:
    path = folder / "log.sql"
    path.write_text(text, "utf-8")
    return path


def test_a_stream_of_clickhouses_engine_is_read(house, tmp_path, monkeypatch):
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "SECRET")
    opened = open_inputs([house.address], query=asked(tmp_path))
    table = pa.Table.from_batches(list(opened.batches()))
    assert table.num_rows == 1000
    assert opened.ledger.rows_rejected == 0
    assert opened.files[0].name == "clickhouse:log.sql"
    first = {k: v for k, v in table.slice(0, 1).to_pylist()[0].items() if v is not None}
    first.pop("ts")
    assert first == {
        "exchange_id": "x-0", "account_id": "acct-0", "model": "gpt-5", "stream": True,
        "messages": [{"role": "user", "content": "Say hello"}], "output_text": "Hello",
        "status": "ok", "tools": ["search", "read"], "input_tokens": 0, "cost_usd": 0.25,
        "tags": [("team", "x")], "ip": "203.0.113.9",
    }  # fmt: skip
    ((path, headers, body),) = house.asked
    assert body == b"SELECT * FROM log"
    assert parse_qs(urlsplit(path).query) == {
        "database": ["gateway"], "default_format": ["ArrowStream"], "readonly": ["2"],
        "output_format_arrow_string_as_string": ["1"],
    }  # fmt: skip
    assert (headers["X-ClickHouse-User"], headers["X-ClickHouse-Key"]) == ("reader", "SECRET")
    assert "SECRET" not in path


@pytest.mark.parametrize("status", [403, 404, 500, 302])
def test_what_it_refuses_is_told_without_its_words(house, tmp_path, status):
    house.answer = (status, b"Code: 62. DB::Exception: Syntax error: SECRET")
    with pytest.raises(InputError, match=rf"failed \(HTTP {status}, code 62\)") as caught:
        open_inputs([house.address], query=asked(tmp_path, "SELECT SECRET"))
    assert "SECRET" not in str(caught.value)
    assert len(house.asked) == 1, "no redirection is followed: it would be given the password"


@pytest.mark.parametrize(
    "raw", [STREAM[:20_000], STREAM[: len(STREAM) // 2] + b"Code: 241. DB::Exception: memory"]
)
def test_an_answer_that_breaks_off_is_an_error(house, tmp_path, raw):
    house.answer, house.missing = (200, raw), 100_000 if raw == STREAM[:20_000] else 0
    with pytest.raises(InputError, match=r"broke|damaged"):
        list(open_inputs([house.address], query=asked(tmp_path)).batches())


@pytest.mark.parametrize("missing", [0, 8])
def test_an_answer_that_breaks_off_behind_a_batch_is_an_error(house, tmp_path, missing):
    """Without the mark of its end, a stream of Arrow is read as one that ended here."""
    house.answer, house.missing = (200, STREAM[:-8]), missing
    with pytest.raises(InputError, match="broke"):
        list(open_inputs([house.address], query=asked(tmp_path)).batches())


def test_a_server_that_is_not_there_is_told_without_the_address(tmp_path):
    address = "clickhouse://reader:SECRET@127.0.0.1:1/gateway?secure=0"
    with pytest.raises(InputError, match="cannot connect") as caught:
        open_inputs([address], query=asked(tmp_path))
    assert "CLICKHOUSE_PASSWORD" in caught.value.hint
    assert "SECRET" not in str(caught.value)


def test_an_option_of_the_address_that_is_none(tmp_path):
    with pytest.raises(ConfigError, match="not understood"):
        open_inputs(["clickhouse://h/d?readonly=0"], query=asked(tmp_path))


@pytest.mark.parametrize("scheme", ["clickhouse", "bigquery", "snowflake"])
@pytest.mark.parametrize(
    "text", ["DROP TABLE log", "-- SELECT\nDELETE FROM log", "/* x */ SET a = 1"]
)
def test_only_a_select_is_sent(tmp_path, scheme, text):
    with pytest.raises(ConfigError, match="no SELECT"):
        open_inputs([f"{scheme}://h/d"], query=asked(tmp_path, text))


@pytest.mark.parametrize("name", ["bigquery", "snowflake"])
def test_a_driver_that_is_missing_is_told_with_what_brings_it(tmp_path, name):
    with pytest.raises(ConfigError, match=f"{name} needs the package adbc_driver_{name}") as caught:
        open_inputs([f"{name}://who/what"], query=asked(tmp_path, "WITH a AS (SELECT 1) SELECT 2"))
    assert caught.value.hint == f"pip install 'stillwatch[{name}]'"
