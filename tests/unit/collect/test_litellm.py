"""What LiteLLM's logger pushes becomes the rows that a file with the same records gives."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from .conftest import payload, rows_in

FIXTURES = Path(__file__).parents[2] / "fixtures" / "litellm"
REAL = [json.loads(line) for line in (FIXTURES / "callbacks.jsonl").read_text().splitlines()]


def bodies_of(form: str) -> list[bytes]:
    if form == "json_array":
        return [json.dumps(REAL).encode()]
    if form == "ndjson":
        return ["\n".join(map(json.dumps, REAL)).encode()]
    if form == "indented":
        return [json.dumps(record, indent=2).encode() for record in REAL]
    return [json.dumps(record).encode() for record in REAL]


def test_every_format_of_the_logger_gives_the_rows_of_a_file(collector, tmp_path):
    expected = rows_in(FIXTURES / "callbacks.jsonl")
    assert len(expected) > 5
    forms = ("json_array", "ndjson", "single", "indented")
    made = {form: collector("--segment-seconds", 0.3, name=form, start=False) for form in forms}
    for form, one in made.items():
        one.start()
        for body in bodies_of(form):
            assert one.post("/v1/litellm", body).status_code == 200
        assert one.stop() == 0
        assert rows_in(one.folder) == expected, form


def test_bytes_of_a_segment_are_those_of_its_rows_whatever_the_order(collector):
    sent = [payload(n) for n in range(50)]
    kept = []
    for name, records in (("a", sent), ("b", sent[::-1])):
        one = collector(name=name)
        for record in records:
            one.post("/v1/litellm", record)
        one.stop()
        (segment,) = one.folder.glob("date=*/hour=*/*.parquet")
        kept.append(segment.read_bytes())
    assert kept[0] == kept[1]


def test_segments_lie_under_the_hour_of_the_event(collector):
    one = collector()
    one.post("/v1/litellm", [payload(1), payload(2, hour=30)], headers={"x-any": "1"})
    one.stop()
    found = sorted(str(p.parent.relative_to(one.folder)) for p in one.folder.rglob("*.parquet"))
    assert found == ["date=2025-11-24/hour=16", "date=2025-11-25/hour=22"]
    assert all(p.stat().st_mode & 0o077 == 0 for p in one.folder.rglob("*")), "others can read"


def test_repeated_deliveries_are_written_once_and_differing_ones_both(collector):
    one = collector("--segment-seconds", 0.3)
    first = [payload(n) for n in range(20)]
    for body in (first, first, first[3], first[::-1]):
        one.post("/v1/litellm", body)
    one.wait_for("rows_total", 20)
    one.post("/v1/litellm", first)  # after they were written
    one.post("/v1/litellm", {**first[0], "completion_tokens": 9})
    one.wait_for("rows_total", 21)
    one.wait_for("repeats_total", 61)
    assert one.metric("repeats_total") == 61
    one.stop()
    rows = rows_in(one.folder)
    assert len(rows) == 21
    assert sorted(r["output_tokens"] for r in rows if r["exchange_id"] == first[0]["id"]) == [4, 9]


def test_what_cannot_be_read_is_counted_and_its_place_told_without_content(collector):
    one = collector()
    bad = {**payload(1), "startTime": "SECRET-TIME"}
    got = one.post("/v1/litellm", [payload(0), None, "SECRET-TEXT", bad])
    assert got.json() == {"accepted": 2, "refused": 2}
    assert one.post("/v1/litellm", b'{"id": "SECRET').status_code == 400
    one.stop()
    assert len(rows_in(one.folder)) == 1
    (entered,) = [
        json.loads(line)
        for path in (one.folder / "_rejected").iterdir()
        for line in path.read_text().splitlines()
    ]
    assert entered == {
        "source": "000000000001.litellm", "line": 2, "reason": "no readable time", "field": "ts",
    }  # fmt: skip
    assert "SECRET" not in one.log.read_text()


def test_a_number_that_is_none_and_long_integers_are_read_as_in_a_file(collector, tmp_path):
    one = collector()
    records = [
        json.dumps({**payload(1), "response_cost": float("nan")}),
        json.dumps({**payload(2), "prompt_tokens": 10**30}),
        json.dumps({**payload(3), "model_parameters": {"seed": 10**25}}),
        json.dumps({**payload(4), "messages": [{"role": "user", "content": "\ud800 x"}]}),
    ]
    assert one.post("/v1/litellm", f"[{','.join(records)}]".encode()).json()["accepted"] == 4
    one.stop()
    file = tmp_path / "file.jsonl"
    file.write_text("\n".join(records))
    assert rows_in(one.folder) == rows_in(file)


def test_nothing_sent_and_gzip_in_members_are_no_error_of_the_collector(collector):
    one = collector()
    for body in (b"", b"[]", b"null", b"[[[]]]", b"\xff\xfe", b"{}"):
        assert one.post("/v1/litellm", body).status_code in (200, 400)
    members = gzip.compress(b"[" + json.dumps(payload(1)).encode()) + gzip.compress(b"]")
    got = one.post("/v1/litellm", members, headers={"content-encoding": "gzip"})
    assert got.json() == {"accepted": 1, "refused": 0}
    assert one.stop() == 0
    assert one.log.read_text() == ""
    assert len(rows_in(one.folder)) == 1
