"""A file is there whole or not at all; a configuration that cannot be read is told by its fault."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError, InputError
from stillwatch.schema import read_toml, write_whole


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_secret_is_read_by_its_owner_alone_whatever_stood_there(tmp_path: Path) -> None:
    path, aside = tmp_path / "order.json", tmp_path / "order.json.part"
    for file in (path, aside):
        file.write_bytes(b"open to all")
        file.chmod(0o644)
    write_whole(path, b"secret", secret=True)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"secret", 0o600)
    assert not aside.exists()


def test_what_stood_there_stays_when_the_disk_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"first")

    def full(handle: int) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"second")
    assert path.read_bytes() == b"first"


def test_toml_is_read_or_its_fault_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    with pytest.raises(InputError, match="no such file"):
        read_toml(file)
    file.write_bytes(b"a = \xff")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_toml(file)
    file.write_text("a = ")
    with pytest.raises(ConfigError, match="not TOML"):
        read_toml(file)
    file.write_text("a = 1")
    assert read_toml(file) == {"a": 1}
