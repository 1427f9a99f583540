"""Which implementation runs, and what importing the kernel costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pyarrow as pa
import pytest

from stillwatch import kernel
from stillwatch.errors import ConfigError
from stillwatch.kernel import implementation, intents, row

EXCHANGE = {
    "messages": [{"role": "user", "content": "Translate\0 this, step by step: 你好 12"}],
    "tools": ["b", "a"],
    "output_text": "Score: 5",
}


@pytest.fixture(autouse=True)
def _fresh_choice() -> Iterator[None]:
    implementation.native.cache_clear()
    yield
    implementation.native.cache_clear()


def test_reference_gives_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = pa.record_batch({key: pa.array([value, None]) for key, value in EXCHANGE.items()})
    fast = (kernel.one(EXCHANGE), kernel.batch(batch), kernel.minhash("a b c"), kernel.simhash("a"))
    implementation.native.cache_clear()
    monkeypatch.setenv(implementation.SWITCH, "reference")
    assert implementation.native() is None
    slow = (kernel.one(EXCHANGE), kernel.batch(batch), kernel.minhash("a b c"), kernel.simhash("a"))
    assert slow == fast


def test_missing_c_kernel_warns_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(implementation.SWITCH, raising=False)
    monkeypatch.setitem(sys.modules, "stillwatch.kernel._kernel", None)
    with pytest.warns(RuntimeWarning, match=r"compiler.*slower") as caught:
        first, second = row.one(EXCHANGE), row.one(EXCHANGE)
    assert first == second
    assert len(caught) == 1


def test_c_can_be_demanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(implementation.SWITCH, "c")
    monkeypatch.setitem(sys.modules, "stillwatch.kernel._kernel", None)
    with pytest.raises(ConfigError, match="compiler"):
        kernel.one(EXCHANGE)


def test_unknown_choice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(implementation.SWITCH, "rust")
    with pytest.raises(ConfigError, match="rust"):
        kernel.one(EXCHANGE)


def test_missing_hyperscan_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    intents._compiled_database.cache_clear()
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    with pytest.raises(ConfigError, match="pip install"):
        kernel.one(EXCHANGE)


def test_guard_path_is_light() -> None:
    program = (
        "import sys, stillwatch.kernel as k\n"
        "heavy = {'pyarrow', 'duckdb', 'pandas', 'numpy', 'hyperscan'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "k.one({'messages': [{'role': 'user', 'content': 'hi'}]})\n"
        "assert not heavy - {'hyperscan'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_wrong_field_type_is_refused_by_both(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="str, bytes or None"):
        kernel.one({"output_text": 5})
    implementation.native.cache_clear()
    monkeypatch.setenv(implementation.SWITCH, "reference")
    with pytest.raises(TypeError, match="str, bytes or None"):
        kernel.one({"output_text": 5})
