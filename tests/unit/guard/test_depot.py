"""A depot: versions, one pointer, one step back; and what someone who writes to it cannot do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stillwatch.errors import ConfigError, EvidenceError, InputError, SchemaError
from stillwatch.guard import Orders, read_snapshot, write_orders, write_snapshot
from stillwatch.guard.depot import prune, publish, pull, read_pointer, step_back
from stillwatch.seal import canonical, new_key, seal

from .conftest import snapshot

NOW = datetime(2026, 11, 26, tzinfo=UTC)


class Store:
    """A store in memory, which can be made to fail."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.down = False

    def read(self, name: str) -> bytes | None:
        if self.down:
            raise OSError("no route")
        return self.held.get(name)

    def write(self, name: str, data: bytes) -> None:
        if self.down:
            raise OSError("no route")
        self.held[name] = data

    def names(self) -> list[str]:
        return list(self.held)

    def remove(self, name: str) -> None:
        self.held.pop(name, None)


@pytest.fixture
def depot(tmp_path, key_files):
    """(store, publish version N, pull once, folder, private key)."""
    private, public = key_files
    store, folder = Store(), tmp_path / "live"
    folder.mkdir()

    def put(version: int):
        path = tmp_path / "made.json"
        write_snapshot(path, replace(snapshot(), version=version), private)
        return publish(store, "snapshot", path.read_bytes(), key=private, by="R. Doe", now=NOW)

    def get() -> int:
        pull(store, "snapshot", [public], folder)
        return read_snapshot(folder / "snapshot.json", [public]).version

    return store, put, get, folder, private


def test_what_is_published_last_is_in_use_and_every_version_stays(depot):
    store, put, get, folder, _ = depot
    assert [put(v).serial for v in (1, 2, 3)] == [1, 2, 3]
    assert get() == 3
    assert len([n for n in store.held if n.startswith("snapshot-")]) == 3
    assert not (folder / "snapshot.json.previous").exists()
    put(4)
    assert get() == 4
    assert (folder / "snapshot.json.previous").exists()


def test_steps_back_go_one_version_each_and_a_new_one_follows_on_what_is_in_use(depot):
    store, put, get, _, key = depot
    for v in (1, 2, 3):
        put(v)
    get()
    for wanted in (2, 1):
        step_back(store, "snapshot", key=key, by="R. Doe")
        assert get() == wanted
    with pytest.raises(ConfigError, match="no snapshot before"):
        step_back(store, "snapshot", key=key, by="R. Doe")
    assert put(9).serial == 6
    assert get() == 9
    step_back(store, "snapshot", key=key, by="R. Doe")
    assert get() == 1


def test_pruning_leaves_the_version_in_use_and_no_way_back(depot):
    store, put, get, _, key = depot
    for v in (1, 2, 3):
        put(v)
    step_back(store, "snapshot", key=key, by="R. Doe")  # 3 is not in use, and no way leads to it
    put(4)
    store.held["orders-00000001-x.json"] = b"another kind"
    pointer, gone = prune(store, "snapshot", key=key, by="R. Doe", keep=2)
    assert len(pointer.versions) == 2
    assert len(gone) == 2
    assert get() == 4
    pointer, gone = prune(store, "snapshot", key=key, by="R. Doe")
    assert [n for n in store.held if n.startswith("snapshot-")] == [pointer.version.file]
    assert "orders-00000001-x.json" in store.held
    assert get() == 4
    with pytest.raises(ConfigError, match="no snapshot before"):
        step_back(store, "snapshot", key=key, by="R. Doe")
    with pytest.raises(ConfigError, match="stays"):
        prune(store, "snapshot", key=key, by="R. Doe", keep=0)
    with pytest.raises(ConfigError, match="there is no effects"):
        prune(store, "effects", key=key, by="R. Doe")


def test_a_prune_that_is_cut_is_finished_by_the_next(depot):
    store, put, get, _, key = depot
    for v in (1, 2, 3):
        put(v)
    store.remove = lambda name: (_ for _ in ()).throw(OSError("gone"))  # type: ignore
    with pytest.raises(InputError, match="does not answer"):
        prune(store, "snapshot", key=key, by="R. Doe")
    assert get() == 3
    del store.remove
    _, gone = prune(store, "snapshot", key=key, by="R. Doe")
    assert len(gone) == 2


def test_pulling_again_changes_no_file(depot, key_files):
    store, put, get, folder, _ = depot
    put(1)
    get()
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    assert pull(store, "snapshot", [key_files[1]], folder) is None
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before
    assert pull(store, "orders", [key_files[1]], folder) is None


def test_who_can_write_but_has_no_key_brings_nothing_back_and_nothing_in(depot, tmp_path):
    store, put, get, folder, _ = depot
    put(1)
    old = dict(store.held)
    put(2)
    assert get() == 2
    new = dict(store.held)
    stranger = new_key(tmp_path / "stranger.pem")
    made = tmp_path / "theirs.json"
    write_snapshot(made, replace(snapshot(), version=7), stranger)
    theirs = Store()
    publish(theirs, "snapshot", made.read_bytes(), key=stranger, by="X", now=NOW)
    two = next(n for n in new if n.startswith("snapshot-00000002"))
    attacks = {
        "an old pointer": old,
        "a stranger's": theirs.held,
        "other bytes": {**new, two: new[two].replace(b"A", b"B", 1)},
        "another object": {**new, two: old[next(n for n in old if n.startswith("snapshot-"))]},
        "half a pointer": {**new, "snapshot.current.json": new["snapshot.current.json"][:50]},
        "no object": {"snapshot.current.json": new["snapshot.current.json"]},
    }
    for name, held in attacks.items():
        store.held = dict(held)
        (folder / "snapshot.json").rename(folder / "kept")  # it would have to be fetched
        with pytest.raises((EvidenceError, InputError)):
            get()
        assert not (folder / "snapshot.json").exists(), name
        (folder / "kept").rename(folder / "snapshot.json")
    store.held = new
    assert get() == 2


def test_a_pointer_names_only_objects_of_its_depot(depot, key_files):
    store, put, get, folder, key = depot
    put(1)
    held = json.loads(canonical({
        "format": 1, "kind": "snapshot", "serial": 2, "current": 0,
        "versions": [{"file": "snapshot-/../../etc/passwd", "sha256": "", "by": "x", "at_us": 1}],
    }))  # fmt: skip
    pointer = json.dumps(seal(canonical(held), "guard-depot-pointer", [key])).encode()
    store.held["snapshot.current.json"] = pointer
    with pytest.raises(SchemaError):
        get()
    assert list(folder.iterdir()) == []


def test_a_store_that_does_not_answer_leaves_what_is_there(depot):
    store, put, get, folder, _ = depot
    put(1)
    get()
    store.down = True
    with pytest.raises(InputError, match="does not answer"):
        get()
    with pytest.raises(InputError, match="does not"):
        put(2)
    assert (folder / "snapshot.json").exists()


def test_only_what_it_is_said_to_be_is_published(depot, tmp_path, key_files):
    store, _, _, _, key = depot
    path = tmp_path / "orders.json"
    write_orders(path, Orders(), key)
    with pytest.raises(EvidenceError, match="another kind"):
        publish(store, "snapshot", path.read_bytes(), key=key, by="R. Doe", now=NOW)
    with pytest.raises(ConfigError, match="who does this"):
        publish(store, "orders", path.read_bytes(), key=key, by=" ", now=NOW)
    with pytest.raises(ConfigError, match="no such kind"):
        publish(store, "ladder", path.read_bytes(), key=key, by="R. Doe", now=NOW)
    assert store.held == {}
    assert publish(store, "orders", path.read_bytes(), key=key, by="R. Doe", now=NOW).serial == 1
    assert read_pointer(store, "orders", [key_files[1]]).version.by == "R. Doe"


def test_a_pointer_names_fifty_versions_at_most(depot):
    _, put, _, _, _ = depot
    for v in range(1, 54):
        last = put(v)
    assert (last.serial, len(last.versions), last.current) == (53, 50, 49)
