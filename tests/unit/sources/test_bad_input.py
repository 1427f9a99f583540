"""Every kind of bad input: named for its defect, none a traceback, nothing lost."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stillwatch.errors import ConfigError, InputError
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources import SOURCES, Ledger, open_inputs
from stillwatch.sources.coerce import coerce_values

LITELLM = Path(__file__).parents[2] / "fixtures" / "litellm"
T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)


def payloads() -> list[dict[str, Any]]:
    lines = (LITELLM / "callbacks.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def read(path: Path, **options: Any) -> tuple[pa.Table, Ledger]:
    options.setdefault("max_rejects", 1.0)
    inputs = open_inputs([path], **options)
    table = pa.Table.from_batches(list(inputs.batches()), EXCHANGE)
    ledger = inputs.ledger
    assert ledger.rows_read == table.num_rows + ledger.rows_rejected
    return table, ledger


def rows(n: int = 4, **columns: Any) -> pa.Table:
    data: dict[str, Any] = {
        "exchange_id": [f"e{i}" for i in range(n)],
        "ts": [T0 + timedelta(seconds=i) for i in range(n)],
        "account_id": [f"a{i % 2}" for i in range(n)],
        "model": ["m"] * n,
    }
    data.update(columns)
    return pa.table({k: v for k, v in data.items() if v is not None})


def parquet(folder: Path, table: pa.Table) -> Path:
    path = folder / "log.parquet"
    pq.write_table(table, path)
    return path


def jsonl(folder: Path, lines: Sequence[str | bytes]) -> Path:
    path = folder / "log.jsonl"
    path.write_bytes(b"\n".join(x.encode() if isinstance(x, str) else x for x in lines))
    return path


def reasons(ledger: Ledger) -> list[tuple[int, str, str]]:
    return [(r.line, r.reason, r.field) for r in sorted(ledger.rejected)]


# tables


@pytest.mark.parametrize("column", ["exchange_id", "account_id", "model"])
@pytest.mark.parametrize("gap", [None, ""])
def test_required_value_missing(tmp_path: Path, column: str, gap: str | None) -> None:
    table, ledger = read(parquet(tmp_path, rows(**{column: ["x", gap, "y", "z"]})))
    assert table.num_rows == 3
    assert reasons(ledger) == [(2, "required value missing", column)]


def test_required_column_missing_refuses_every_row(tmp_path: Path) -> None:
    inputs = open_inputs([parquet(tmp_path, rows(model=None))])
    with pytest.raises(InputError, match=r"required column missing \(model\)"):
        list(inputs.batches())
    assert inputs.ledger.rows_rejected == 4


def test_time_without_zone_is_utc_and_counted(tmp_path: Path) -> None:
    naive = pa.array([datetime(2026, 1, 31)] * 4, pa.timestamp("ms"))  # noqa: DTZ001
    table, ledger = read(parquet(tmp_path, rows(ts=naive)))
    assert table["ts"][0].as_py() == datetime(2026, 1, 31, tzinfo=UTC)
    assert ledger.zoneless_times == 4


def test_time_in_another_zone_is_the_same_instant(tmp_path: Path) -> None:
    vienna = pa.array([T0] * 4, pa.timestamp("ns", tz="Europe/Vienna"))
    table, ledger = read(parquet(tmp_path, rows(ts=vienna)))
    assert table["ts"].to_pylist() == [T0] * 4
    assert ledger.zoneless_times == 0


def test_time_in_the_future(tmp_path: Path) -> None:
    path = parquet(tmp_path, rows(ts=[T0, T0 + timedelta(hours=23), T0 + timedelta(days=2), T0]))
    _, ledger = read(path, now=T0)
    assert reasons(ledger) == [(3, "time in the future", "ts")]
    assert read(path)[0].num_rows == 4


def test_time_before_2015(tmp_path: Path) -> None:
    old = [T0, datetime(2014, 12, 31, tzinfo=UTC), T0, T0]
    assert reasons(read(parquet(tmp_path, rows(ts=old)))[1]) == [(2, "time before 2015", "ts")]


def test_time_that_is_none(tmp_path: Path) -> None:
    text = ["2026-01-31T12:00:00Z", "yesterday", "2026-02-31T00:00:00Z", "2026-01-31 12:00:00 UTC"]
    table, ledger = read(parquet(tmp_path, rows(ts=text)))
    assert table["ts"].to_pylist() == [T0, T0]
    assert [line for line, _, _ in reasons(ledger)] == [2, 3]


@pytest.mark.parametrize("scale", [1, 1_000, 1_000_000, 1_000_000_000])
def test_epoch_of_any_unit(tmp_path: Path, scale: int) -> None:
    table, _ = read(parquet(tmp_path, rows(ts=[int(T0.timestamp()) * scale] * 4)))
    assert table["ts"].to_pylist() == [T0] * 4


def test_nan_becomes_null(tmp_path: Path) -> None:
    nan = float("nan")
    table, _ = read(parquet(tmp_path, rows(cost_usd=[nan, 1.0, float("inf"), None])))
    assert table["cost_usd"].to_pylist() == [None, 1.0, None, None]


def test_nan_in_a_required_text_is_missing(tmp_path: Path) -> None:
    column = pa.array([float("nan"), 7.0, 8.0, 9.0])
    table, ledger = read(parquet(tmp_path, rows(account_id=column)))
    assert table["account_id"].to_pylist() == ["7", "8", "9"]
    assert reasons(ledger) == [(1, "required value missing", "account_id")]


def test_whole_floats_are_token_counts(tmp_path: Path) -> None:
    table, _ = read(parquet(tmp_path, rows(input_tokens=[1.0, float("nan"), 3.0, 4.0])))
    assert table["input_tokens"].to_pylist() == [1, None, 3, 4]


@pytest.mark.parametrize(
    "column", ["input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens"]
)
def test_negative_tokens(tmp_path: Path, column: str) -> None:
    _, ledger = read(parquet(tmp_path, rows(**{column: [1, -1, None, 0]})))
    assert reasons(ledger) == [(2, "negative tokens", column)]


def test_unlimited_written_as_minus_one_is_no_limit(tmp_path: Path) -> None:
    table, ledger = read(parquet(tmp_path, rows(max_tokens=[-1, 5, None, 7])))
    assert table["max_tokens"].to_pylist() == [None, 5, None, 7]
    assert ledger.coerced["max_tokens: negative, set to null"] == 1


def test_wrong_type_of_what_the_provider_wrote(tmp_path: Path) -> None:
    _, ledger = read(parquet(tmp_path, rows(input_tokens=["1", "many", "3", None])))
    assert reasons(ledger) == [(2, "wrong type", "input_tokens")]


def test_wrong_type_of_what_the_client_chose_hides_no_row(tmp_path: Path) -> None:
    table, ledger = read(parquet(tmp_path, rows(temperature=["0.5", "hot", "1", None])))
    assert table["temperature"].to_pylist() == [0.5, None, 1.0, None]
    assert ledger.coerced["temperature: unreadable, set to null"] == 1


def test_an_autonomous_system_is_read_in_the_ways_it_is_written(tmp_path: Path) -> None:
    said = ["AS64500", "as 64501 Example Net", "64502", "AS4294967296"]
    table, ledger = read(parquet(tmp_path, rows(asn=said)))
    assert table["asn"].to_pylist() == [64500, 64501, 64502, None]
    assert ledger.rows_rejected == 0


def test_wrong_type_of_what_was_added_to_a_request_costs_no_row(tmp_path: Path) -> None:
    added = {"asn": ["Example Net", "AS1", None, "7"], "latency_ms": ["fast", "1.5", None, "2"]}
    table, ledger = read(parquet(tmp_path, rows(**added)))
    assert table["asn"].to_pylist() == [None, 1, None, 7]
    assert table["latency_ms"].to_pylist() == [None, 1.5, None, 2.0]
    assert ledger.coerced["asn: unreadable, set to null"] == 1
    assert ledger.coerced["latency_ms: unreadable, set to null"] == 1


def test_integer_too_large(tmp_path: Path) -> None:
    path = parquet(tmp_path, rows(http_status=pa.array([200, 70_000, 500, 429], pa.int64())))
    _, ledger = read(path)
    assert reasons(ledger) == [(2, "wrong type", "http_status")]


def test_invalid_utf8_is_replaced(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffb")]
    )
    table = rows(1, output_text=broken)
    path = tmp_path / "log.arrow"
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    out, ledger = read(path)
    assert out["output_text"].to_pylist() == ["a\ufffdb"]
    assert ledger.coerced["invalid UTF-8 replaced"] == 1


def test_unknown_columns_are_named_once(tmp_path: Path) -> None:
    _, ledger = read(parquet(tmp_path, rows(secret=["s"] * 4)))
    assert ledger.ignored_columns == {"log.parquet": ("secret",)}


@pytest.mark.parametrize(
    "kind",
    [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()), pa.binary()],
)
def test_text_of_any_arrow_layout(tmp_path: Path, kind: pa.DataType) -> None:
    plain = pa.array(["a", "b", "a", "b"])
    table = rows(account_id=plain.cast(kind) if kind != plain.type else plain)
    path = tmp_path / "log.arrow"
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    assert read(path)[0]["account_id"].to_pylist() == ["a", "b", "a", "b"]


def test_large_list_messages_with_sliced_offsets(tmp_path: Path) -> None:
    kind = pa.large_list(
        pa.struct([("content", pa.large_string()), ("role", pa.string()), ("name", pa.string())])
    )
    values = [[{"role": "user", "content": f"q{i}", "name": "x"}] * (i % 3) for i in range(9)]
    values[4] = None  # type: ignore[call-overload]
    table = rows(9, messages=pa.array(values, kind)).slice(2)
    path = tmp_path / "log.arrow"
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    got = read(path)[0]["messages"].to_pylist()
    want = [v and [{"role": m["role"], "content": m["content"]} for m in v] for v in values[2:]]
    assert got == want


def test_content_as_parts(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    table, _ = read(parquet(tmp_path, rows(1, messages=[[{"role": "user", "content": parts}]])))
    assert table["messages"].to_pylist() == [[{"role": "user", "content": "a\nb"}]]


def test_status_words_of_gateways(tmp_path: Path) -> None:
    words = ["success", "429", "Content Filter", "whatever"]
    table, ledger = read(parquet(tmp_path, rows(status=words)))
    assert table["status"].to_pylist() == ["ok", "rate_limited", "filtered", None]
    assert ledger.coerced["status: unknown word, set to null"] == 1


def test_status_from_the_http_code(tmp_path: Path) -> None:
    table, _ = read(parquet(tmp_path, rows(http_status=[200, 403, 404, 503])))
    assert table["status"].to_pylist() == ["ok", "denied", "client_error", "server_error"]


def test_truncated_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path, rows())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"log\.parquet: damaged or truncated Parquet"):
        read(path)


def test_damaged_parquet_page(tmp_path: Path) -> None:
    path = parquet(tmp_path, rows(2000, output_text=[f"text {i}" for i in range(2000)]))
    raw = bytearray(path.read_bytes())
    raw[100:4000] = bytes(3900)
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"log\.parquet"):
        read(path)


# CSV

CSV_HEAD = "exchange_id,ts,account_id,model,messages,input_tokens\n"


def test_csv_with_newlines_quotes_and_uneven_records(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        CSV_HEAD
        + 'e1,2026-01-31T12:00:00Z,a,m,"[{""role"":""user"",""content"":""x\\ny""}]",3\r\n'
        + "uneven\n"
        + 'e2,1769860800,a,m,"plain, with\ncomma",\n'
        + "e3,1769860800,a,m,too,many,fields\n"
        + "e4,1769860800,a,m,,-4\n"
    )
    table, ledger = read(path)
    assert table["exchange_id"].to_pylist() == ["e1", "e2"]
    assert table["messages"].to_pylist() == [
        [{"role": "user", "content": "x\ny"}],
        [{"role": "user", "content": "plain, with\ncomma"}],
    ]
    assert reasons(ledger) == [
        (2, "wrong number of fields", ""),
        (4, "wrong number of fields", ""),
        (5, "negative tokens", "input_tokens"),
    ]


def test_csv_with_bom_and_semicolons(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"\xef\xbb\xbfexchange_id;ts;account_id;model\ne1;2026-01-31;a;m\n")
    table, ledger = read(path)
    assert table["exchange_id"].to_pylist() == ["e1"]
    assert ledger.zoneless_times == 1


def test_csv_with_invalid_utf8(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(
        b"exchange_id,ts,account_id,model,output_text\ne1,2026-01-31T00:00Z,a,m,\xff\n"
    )
    table, ledger = read(path)
    assert table["output_text"].to_pylist() == ["\ufffd"]
    assert ledger.coerced["invalid UTF-8 replaced"] == 1


def test_csv_with_a_10_mb_prompt(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(CSV_HEAD + f"e1,2026-01-31T00:00:00Z,a,m,{'x' * 10_000_000},1\n")
    assert len(read(path)[0]["messages"][0].as_py()[0]["content"]) == 10_000_000


# JSON


def test_malformed_line_between_good_ones(tmp_path: Path) -> None:
    good = [json.dumps(p) for p in payloads()[:2]]
    _, ledger = read(jsonl(tmp_path, [good[0], '{"id": nope}', good[1]]), format="litellm")
    assert reasons(ledger) == [(2, "malformed JSON", "")]


def test_truncated_last_line(tmp_path: Path) -> None:
    good = json.dumps(payloads()[0])
    table, ledger = read(jsonl(tmp_path, [good, good[:-100]]))
    assert table.num_rows == 1
    assert reasons(ledger) == [(2, "JSON ends early", "")]


def test_blank_lines_crlf_and_bom(tmp_path: Path) -> None:
    good = json.dumps(payloads()[0]).encode()
    path = jsonl(tmp_path, [b"\xef\xbb\xbf" + good + b"\r", b"\r", b"", b"  ", good + b"\r", b""])
    table, ledger = read(path)
    assert table.num_rows == 2
    assert ledger.rows_rejected == 0


@pytest.mark.parametrize("line", ["[1, 2]", "7", '"text"', "null", "true"])
def test_line_that_is_no_object(tmp_path: Path, line: str) -> None:
    _, ledger = read(jsonl(tmp_path, [json.dumps(payloads()[0]), line]))
    assert reasons(ledger) == [(2, "not a JSON object", "")]


@pytest.mark.parametrize("depth", [500, 2_000, 200_000])
def test_deep_json(tmp_path: Path, depth: int) -> None:
    good = json.dumps(payloads()[0])
    deep = good[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"
    table, ledger = read(jsonl(tmp_path, [good, deep]))
    assert table.num_rows + ledger.rows_rejected == 2
    assert [r.reason for r in ledger.rejected] in ([], ["JSON nested too deeply"])


def test_deep_message_content_is_digested(tmp_path: Path) -> None:
    payload = payloads()[0]
    content: Any = "core"
    for _ in range(300):
        content = [content]
    payload["messages"] = [{"role": "user", "content": content}]
    table, _ = read(jsonl(tmp_path, [json.dumps(payload)]))
    assert table["messages"][0].as_py()[0]["content"].startswith("[nested sha256:")


def test_10_mb_prompt(tmp_path: Path) -> None:
    payload = payloads()[0]
    payload["messages"] = [{"role": "user", "content": "x" * 10_000_000}]
    lines = [json.dumps(payloads()[1]), json.dumps(payload), json.dumps(payloads()[2])]
    table, _ = read(jsonl(tmp_path, lines))
    assert [len(m.as_py()[0]["content"]) for m in table["messages"]][1] == 10_000_000


def test_duplicate_keys_last_wins(tmp_path: Path) -> None:
    line = json.dumps(payloads()[0])[:-1] + ', "model": "other"}'
    assert read(jsonl(tmp_path, [line]))[0]["model"].to_pylist() == ["other"]


def test_invalid_utf8_in_json(tmp_path: Path) -> None:
    line = json.dumps(payloads()[0]).encode().replace(b"Say hello", b"Say \xff\xfe")
    table, ledger = read(jsonl(tmp_path, [line]))
    assert table["messages"][0].as_py()[0]["content"] == "Say \ufffd\ufffd"
    assert sum(ledger.coerced.values()) == 1


def test_lone_surrogate_and_nan_in_json(tmp_path: Path) -> None:
    line = json.dumps(payloads()[0]).replace("Say hello", "cut \\ud83d")
    line = line.replace('"response_cost": 1.35e-05', '"response_cost": NaN', 1)
    table, _ = read(jsonl(tmp_path, [line]))
    assert table["messages"][0].as_py()[0]["content"] == "cut \ufffd"
    assert table["cost_usd"].to_pylist() == [None]


def test_huge_numbers(tmp_path: Path) -> None:
    payload = payloads()[0]
    payload["model_parameters"] = {"seed": 10**30, "max_tokens": 1e300, "n": 2**40}
    payload["prompt_tokens"] = 10**25
    table, ledger = read(jsonl(tmp_path, [json.dumps(payload), json.dumps(payloads()[1])]))
    assert table.num_rows == 1
    assert reasons(ledger) == [(1, "wrong type", "input_tokens")]


def test_broken_array(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text("[" + ",".join(json.dumps(p) for p in payloads()[:3])[:-50])
    table, ledger = read(path)
    assert table.num_rows == 2
    assert reasons(ledger) == [(3, "JSON breaks here, the rest cannot be read", "")]
    with pytest.raises(InputError, match="lie behind a break"):
        read(path, max_rejects=0.01)


def test_array_with_foreign_elements(tmp_path: Path) -> None:
    good = json.dumps(payloads()[0])
    path = tmp_path / "log.json"
    path.write_text(f'[{good}, 7, ["x"], {good} junk, {good}]')
    table, ledger = read(path)
    assert table.num_rows == 3
    assert ledger.rows_rejected == 3


def test_text_behind_the_array(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(f"[{json.dumps(payloads()[0])}]\n trailing")
    table, ledger = read(path)
    assert (table.num_rows, ledger.rows_rejected) == (1, 1)


# compression and files


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_compressed_whatever_the_name(tmp_path: Path, pack: Any) -> None:
    path = tmp_path / "export.bin"
    path.write_bytes(pack((LITELLM / "callbacks.jsonl").read_bytes()))
    assert read(path)[0].num_rows == len(payloads())


def test_gzip_members_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(b"".join(gzip.compress(json.dumps(p).encode() + b"\n") for p in payloads()))
    assert read(path)[0].num_rows == len(payloads())


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_truncated_compression(tmp_path: Path, pack: Any) -> None:
    path = tmp_path / "log.jsonl.x"
    whole = pack((LITELLM / "callbacks.jsonl").read_bytes())
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(InputError, match=r"log\.jsonl\.x: damaged or truncated compressed data"):
        read(path)


def test_corrupt_gzip(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    whole = bytearray(gzip.compress((LITELLM / "callbacks.jsonl").read_bytes()))
    whole[2000:2100] = bytes(100)
    path.write_bytes(whole)
    with pytest.raises(InputError, match="damaged"):
        read(path)


def test_compressed_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet.gz"
    path.write_bytes(gzip.compress(parquet(tmp_path, rows()).read_bytes()))
    assert read(path)[0].num_rows == 4


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").touch()
    with pytest.raises(InputError, match="empty"):
        open_inputs([tmp_path])


def test_empty_file_beside_a_full_one_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    (tmp_path / "b.jsonl").write_text(json.dumps(payloads()[0]))
    assert read(tmp_path)[1].notes["empty files"] == 1


def test_table_without_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no exchanges"):
        read(parquet(tmp_path, rows(4).slice(0, 0)))


def test_nothing_but_rejects(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no exchanges"):
        read(jsonl(tmp_path, ["{}", "{"]), format="litellm")


def test_unknown_format_lists_what_is_known_and_no_content(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("a secret prompt")
    with pytest.raises(
        InputError,
        match=", ".join(source.name for source in SOURCES),
    ) as caught:
        open_inputs([path])
    assert "log.txt" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_format_name_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown format 'nope'"):
        open_inputs([parquet(tmp_path, rows())], format="nope")


def test_path_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_inputs([tmp_path / "nowhere"])


def test_glob_that_matches_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file matches"):
        open_inputs([str(tmp_path / "*.gz")])


# limits


def test_too_many_rejects_at_the_end(tmp_path: Path) -> None:
    path = parquet(tmp_path, rows(100, input_tokens=[-1] * 2 + [1] * 98))
    with pytest.raises(InputError, match=r"2 of 100 rows .*1\.00%.*negative tokens"):
        read(path, max_rejects=0.01)
    assert read(path, max_rejects=0.02)[0].num_rows == 98


def test_too_many_rejects_stop_reading_early(tmp_path: Path) -> None:
    good = json.dumps(payloads()[0])
    lines = ["{"] * 2_000 + [good] * 3_000
    inputs = open_inputs([jsonl(tmp_path, lines)], format="litellm")
    with pytest.raises(InputError, match="most often"):
        next(iter(inputs.batches()))
    assert 2_000 <= inputs.ledger.rows_read < len(lines)


def test_rejected_file_holds_no_content_and_is_sorted(tmp_path: Path) -> None:
    lines = ['{"id": "secret"', json.dumps(payloads()[0]), '{"id": "secret"}', "[]"]
    _, ledger = read(jsonl(tmp_path, lines), format="litellm")
    out = tmp_path / "run"
    out.mkdir()
    ledger.write(out / "rejected.jsonl")
    text = (out / "rejected.jsonl").read_text()
    assert "secret" not in text
    entries = [json.loads(line) for line in text.splitlines()]
    assert [e["line"] for e in entries] == [1, 3, 4]
    assert [p.name for p in out.iterdir()] == ["rejected.jsonl"]


def test_a_null_among_the_tags_does_not_end_the_process():
    ledger = Ledger()
    array, _ = coerce_values([[None], [("a", "b"), None]], EXCHANGE.field("tags"), ledger)
    assert array.to_pylist() == [[], [("a", "b")]]


@pytest.mark.parametrize(
    ("value", "want"),
    [('["a", "b"]', ["a", "b"]), ("", None), ("ab", None), (["a"], ["a"]), (None, None)],
)
def test_text_in_a_list_is_parsed_and_never_taken_apart(value: Any, want: Any) -> None:
    """Arrow makes a list of a text's characters where it is asked for a list."""
    for beside in ([], [["x"]]):
        array, bad = coerce_values([value, *beside], EXCHANGE.field("tools"), Ledger())
        assert array.to_pylist() == [want, *beside]
        assert (bad is not None and bool(bad[0])) is (value == "ab")
