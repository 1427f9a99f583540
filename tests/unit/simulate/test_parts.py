"""Dice, clock, grammar, frames and the LiteLLM payload, each alone."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError
from stillwatch.simulate import LANGUAGE_MIX, simulate
from stillwatch.simulate.clock import DAY, HOUR, MINUTE, cron_times, dispatch_times, human_times
from stillwatch.simulate.dice import Dice, generator
from stillwatch.simulate.frames import Press
from stillwatch.simulate.grammar import Grammar
from stillwatch.simulate.lexicon import KINDS, compile_pattern, lexicon
from stillwatch.simulate.litellm import LitellmWriter

START = 20_000 * DAY


def test_streams_of_parts_are_independent():
    one, two = generator(1, "chat", 0), generator(1, "chat", 1)
    assert not np.array_equal(one.random(8), two.random(8))
    assert np.array_equal(generator(1, "chat", 0).random(8), generator(1, "chat", 0).random(8))


def test_dice_have_the_means_they_promise():
    dice = Dice(generator(1, "t"))
    assert np.mean([dice.count(20, 0.8) for _ in range(20_000)]) == pytest.approx(20, rel=0.03)
    assert np.mean([dice.expo(3.0) for _ in range(20_000)]) == pytest.approx(3, rel=0.03)
    assert sorted(dice.sample(range(9), 9)) == list(range(9))
    assert {dice.whole(1, 3) for _ in range(200)} == {1, 2, 3}


def test_people_sleep():
    rng = generator(1, "clock")
    times = human_times(rng, 4000, START, START + 7 * DAY, 9.0, "office")
    local = (times // HOUR + 9) % 24
    assert np.mean((local >= 1) & (local < 6)) < 0.03
    weekday = ((times // HOUR + 9) // 24 + 3) % 7
    assert np.mean(weekday >= 5) < 0.12
    assert np.all(np.diff(times) >= 0)


def test_cron_keeps_its_minutes():
    times = cron_times(generator(1, "c"), 200, START, START + 7 * DAY, (0, 30), 5.0)
    assert np.mean(times % (30 * MINUTE) < MINUTE) > 0.99


def test_dispatchers_pause_together():
    times = dispatch_times(generator(2, "d"), 5000, START, START + 7 * DAY, 2, 4.0)
    assert np.all((times >= START) & (times < START + 7 * DAY))
    assert np.diff(times).max() > 3 * HOUR


@pytest.mark.parametrize("code", list(LANGUAGE_MIX))
def test_payloads_hardly_repeat_and_stay_on_topic(code):
    grammar, dice = Grammar(1), Dice(generator(1, "g", code))
    texts = [
        grammar.payload(dice, grammar.whole(code, 5), grammar.length(dice)) for _ in range(2000)
    ]
    assert len(set(texts)) > 1980
    names = set(grammar.names(code, 5))
    assert np.mean([any(n in t for n in names) for t in texts]) > 0.75
    other = set(grammar.names(code, 6))
    assert np.mean([any(n in t.split() for n in other) for t in texts]) < 0.2


@pytest.mark.parametrize("code", list(LANGUAGE_MIX))
@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_many_and_differ_between_seeds(code, kind):
    made = []
    for seed in (1, 2):
        press, dice = Press(Grammar(seed)), Dice(generator(seed, "f"))
        made.append([press.make(dice, code, kind) for _ in range(30)])
    texts = [{(f.system, f.head, f.tail) for f in frames} for frames in made]
    assert len(texts[0]) == len(texts[1]) == 30
    assert not texts[0] & texts[1]
    for frame in made[0]:
        whole = " ".join(x for x in (frame.system, frame.head, frame.tail) if x)
        words = len(whole.split()) if lexicon(code).space else len(whole) / 2
        assert 11 <= words <= 62
        assert frame.wrap("PAYLOAD").count("PAYLOAD") == 1


def test_patterns_keep_braces_and_percents():
    pattern = compile_pattern('100% {"{g}": {k}}')
    assert pattern.text % ("a", "b") == '100% {"a": b}'


def test_litellm_lines_match_the_canonical_rows(tmp_path):
    result = simulate("tiny", seed=2, out=tmp_path, formats=("parquet", "litellm"))
    rows = [r for p in result.files["parquet"] for r in pq.read_table(p).to_pylist()]
    lines = [orjson.loads(x) for x in result.files["litellm"][0].read_bytes().splitlines()]
    assert [x["id"] for x in lines] == [r["exchange_id"] for r in rows]
    for line, row in zip(lines, rows, strict=True):
        meta = line["metadata"]
        assert meta["user_api_key_user_id"] == row["account_id"]
        assert meta["requester_custom_headers"]["x-ja4"] == row["ja4"]
        assert line["messages"] == row["messages"]
        assert abs(line["startTime"] - row["ts"].timestamp()) < 1e-5
        assert line["endTime"] >= line["completionStartTime"] >= line["startTime"]
        failed = row["http_status"] >= 400
        assert line["status"] == ("failure" if failed else "success")
        if failed:
            assert line["error_information"]["error_code"] == str(row["http_status"])
            assert line["response"] is None
        else:
            choice = line["response"]["choices"][0]
            assert choice["message"]["content"] == row["output_text"]
            assert line["response"]["created"] == int(row["ts"].timestamp())


def test_litellm_refuses_an_unknown_suffix(tmp_path):
    with pytest.raises(ConfigError, match="cannot write"):
        LitellmWriter(tmp_path / "x.xz")


def test_results_hold_no_wall_clock(tmp_path):
    result = simulate("tiny", seed=2, out=tmp_path)
    assert result.end == datetime(2026, 11, 23, tzinfo=UTC)
