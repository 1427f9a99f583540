"""`prove collect --model local:`: weights on this machine, a tiny transformer trained on the spot.

PyTorch and Transformers come from the package index into an environment below build/.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from environments import environment

from stillwatch.errors import ConfigError, InputError
from stillwatch.prove import local_endpoint
from stillwatch.schema import EXIT_INPUT


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("weights")
    client = Path(__file__).with_name("weights_client.py")
    done = subprocess.run(
        [environment("weights") / "python", client, folder],
        capture_output=True, text=True, timeout=600, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        input="y\n" * 20,  # whoever asks whether to run something is told to
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told | {"folder": str(folder), "errors": done.stderr}


@pytest.mark.slow
def test_a_folder_of_weights_answers_without_a_server(told):
    rows = told["whole"]
    assert [row["output"] for row in rows] == [
        "in alder by the mill", "the potter does", "hot enough",
    ]  # fmt: skip
    assert {row["model"] for row in rows} == {"kiln-7b"}
    assert {row["finish_reason"] for row in rows} == {"stop"}
    assert rows[0]["input_tokens"] == 6  # user, four words, assistant
    assert rows[0]["output_tokens"] == 6  # with the token that ends it
    (first, *rest) = rows[0]["logprobs"]
    assert [t["token"] for t in (first, *rest)] == ["in", "alder", "by", "the", "mill"]
    assert all(t["logprob"] < 0 for t in (first, *rest))
    # the same numbers as by the other road to them
    assert sum(t["logprob"] for t in rest) == pytest.approx(told["sum"], abs=1e-4)
    assert [row["output"] for row in told["cut"]] == ["in alder", "the potter", "hot enough"]
    assert {row["finish_reason"] for row in told["cut"]} == {"length"}
    assert {row["model"] for row in told["cut"]} == {"kiln"}


@pytest.mark.slow
def test_it_goes_on_where_it_stopped_and_knows_other_weights_under_one_name(told):
    assert told["first"] == told["whole"][:1]  # asked_at too: it was not asked again
    assert len(told["cache"].splitlines()) == 3
    assert told["folder"] not in told["cache"]
    assert told["asked_again"] == 3
    assert told["drawn"][0] == told["drawn"][1]  # a seed of the prompt and the settings
    assert told["drawn"][0] != [row["output"] for row in told["whole"]]
    assert told["absent"] == told["empty"] == EXIT_INPUT


@pytest.mark.slow
def test_nothing_in_a_folder_is_run(told):
    """Code beside the weights, pickles (harmless ones too), an adapter: nothing asks or runs."""
    names = ("coded", "pickled", "honest", "cut", "adapted", "stern")
    assert told["refused"] == dict.fromkeys(names, EXIT_INPUT)
    assert not told["ran"]
    assert "Traceback" not in told["errors"]
    for said in ("pickled weights (.bin) and code", "merge it into its base", "ask without"):
        assert said in told["errors"]


def test_a_folder_with_a_dot_keeps_its_name_and_a_path_with_an_at_is_none(tmp_path):
    for name in ("kiln-3.2-1b", "kiln-3.2-3b", "a@b"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        endpoint, place, _ = local_endpoint(f"local:{folder}")
        assert (endpoint.model, place) == (name, folder)


def test_a_local_model_is_named_by_its_files(tmp_path):
    folder = tmp_path / "kiln-7b"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "notes.md").write_text("a")
    first, place, gguf = local_endpoint(f"local:{folder}")
    assert (first.kind, first.model, place, gguf) == ("local", "kiln-7b", folder, None)
    (folder / "notes.md").write_text("b")
    assert local_endpoint(f"local:kiln@{folder}")[0].url == first.url
    (folder / "config.json").write_text("[]")
    assert local_endpoint(f"local:{folder}")[0].url != first.url
    file = tmp_path / "q4.gguf"
    file.write_bytes(b"GGUF")
    endpoint, place, gguf = local_endpoint(f"local:{file}")
    assert (endpoint.model, place, gguf) == ("q4", tmp_path, "q4.gguf")
    for spec in ("local:", f"local:@{folder}", "openai:x"):
        with pytest.raises(ConfigError, match="local:PATH"):
            local_endpoint(spec)
    (tmp_path / "other.json").write_text("{}")
    for wrong in (tmp_path / "absent", tmp_path / "other.json"):
        with pytest.raises(InputError, match=r"model|weights"):
            local_endpoint(f"local:{wrong}")
