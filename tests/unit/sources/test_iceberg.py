"""A table of Iceberg is read by its metadata: what it holds now, or held at a snapshot."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
import tracemalloc
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lake_tables import (
    data_file,
    equality_deletes,
    exchanges,
    iceberg,
    position_deletes,
    puffin,
)
from pyiceberg.manifest import FileFormat
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import StringType

from stillwatch.errors import InputError
from stillwatch.sources import TableRefused, open_inputs


def read(*paths: Path | str, **options: Any) -> pa.Table:
    inputs = open_inputs(paths, **options)
    return pa.Table.from_batches(list(inputs.batches())).sort_by("ts")


def ids(*paths: Path | str, **options: Any) -> list[str]:
    return read(*paths, **options)["exchange_id"].to_pylist()


def numbered(*numbers: int) -> list[str]:
    return [f"e{i}" for i in numbers]


def folder(table: Table) -> Path:
    return Path(table.location().removeprefix("file://"))


def newest(table: Table) -> Path:
    return Path(table.metadata_location.removeprefix("file://"))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Return a table of e0 to e5, of which e1 was deleted."""
    held = iceberg(tmp_path, exchanges(0, 5))
    held.append(exchanges(5, 6))
    held.delete("exchange_id = 'e1'")
    return held


def test_deleted_rows_do_not_come_back_and_appended_ones_are_there(table: Table) -> None:
    assert ids(folder(table)) == numbered(0, 2, 3, 4, 5)
    raw = [pq.ParquetFile(path).read()["exchange_id"] for path in folder(table).rglob("*.parquet")]
    assert "e1" in {name.as_py() for column in raw for name in column}  # its file is still there


def test_a_snapshot_and_a_metadata_file_that_are_named_are_read(table: Table) -> None:
    first, second, *_ = (entry.snapshot_id for entry in table.history())
    assert ids(f"{folder(table)}@{first}") == numbered(0, 1, 2, 3, 4)
    assert ids(f"{folder(table)}@{second}") == numbered(*range(6))
    before = sorted((folder(table) / "metadata").glob("00002-*.metadata.json"))[0]
    assert ids(before) == ids(f"{folder(table)}@{second}")
    assert ids(f"{newest(table)}@{first}") == numbered(0, 1, 2, 3, 4)
    (told,) = open_inputs([folder(table)]).tables
    current = table.current_snapshot()
    assert current is not None
    assert (told.name, told.kind, told.version) == ("requests", "Iceberg", current.snapshot_id)
    with pytest.raises(InputError, match="has no snapshot 12") as caught:
        open_inputs([f"{folder(table)}@12"])
    assert str(current.snapshot_id) in caught.value.hint


def test_the_same_rows_as_those_of_plain_parquet(table: Table, tmp_path: Path) -> None:
    rows = exchanges(0, 6).filter(pa.array([i != 1 for i in range(6)]))
    plain = tmp_path / "plain.parquet"
    pq.write_table(rows, plain)
    assert read(folder(table)).equals(read(plain))
    assert open_inputs([folder(table)]).columns == open_inputs([plain]).columns
    table.overwrite(exchanges(20, 22))
    assert ids(folder(table)) == numbered(20, 21)


def test_what_is_written_while_it_is_read_is_not_read(table: Table) -> None:
    inputs = open_inputs([folder(table)])
    table.append(exchanges(6, 9))
    table.delete("exchange_id = 'e0'")
    expected = numbered(0, 2, 3, 4, 5)
    for opened in (inputs, inputs.again()):
        found = [i for b in opened.batches() for i in b["exchange_id"].to_pylist()]
        assert sorted(found) == expected


def test_a_renamed_column_is_itself_and_one_made_anew_is_not(tmp_path: Path) -> None:
    rows = exchanges(0, 2, client=["c0", "c1"], origin=["o0", "o1"])
    table = iceberg(tmp_path, rows)
    snapshot = table.current_snapshot()
    assert snapshot is not None
    with table.update_schema(allow_incompatible_changes=True) as update:
        update.rename_column("client", "country")
        update.delete_column("origin")
    with table.update_schema(allow_incompatible_changes=True) as update:
        update.add_column("origin", table.schema().find_type("country"))
    table.append(exchanges(2, 3, country=["AT"], origin=["new"]))
    held = read(folder(table))
    assert held["country"].to_pylist() == ["c0", "c1", "AT"]
    assert held["origin"].to_pylist() == [None, None, "new"]
    assert held["client"].null_count == 3
    before = read(f"{folder(table)}@{snapshot.snapshot_id}")
    assert before["client"].to_pylist() == ["c0", "c1"]


def test_a_column_that_came_later_has_its_initial_default(tmp_path: Path) -> None:
    table = iceberg(tmp_path, exchanges(0, 2))
    with table.update_schema() as update:
        update.add_column("country", StringType())
    told = json.loads(newest(table).read_text())
    assert read(folder(table))["country"].null_count == 2
    told["schemas"][-1]["fields"][-1]["initial-default"] = "AT"  # pyiceberg itself gives none
    newest(table).write_text(json.dumps(told))
    assert read(folder(table))["country"].to_pylist() == ["AT", "AT"]


def test_files_of_others_that_were_added_to_the_table(tmp_path: Path) -> None:
    table = iceberg(tmp_path, exchanges(0, 2))
    pq.write_table(exchanges(2, 4), tmp_path / "theirs.parquet")
    table.add_files([f"file://{tmp_path}/theirs.parquet"])
    assert ids(folder(table)) == numbered(0, 1, 2, 3)
    with table.update_schema() as update:
        update.rename_column("model", "origin")
        update.rename_column("input_tokens", "output_tokens")
    held = read(folder(table), format=str(mapped(tmp_path)))
    assert held["output_tokens"].to_pylist() == [0, 1, 2, 3]
    with table.transaction() as change:
        change.remove_properties("schema.name-mapping.default")
    with pytest.raises(InputError, match="do not tell which of the table's they are"):
        open_inputs([folder(table)])


def mapped(place: Path) -> Path:
    path = place / "mine.toml"
    names = {"exchange_id": "exchange_id", "ts": "ts", "account_id": "account_id",
             "model": "origin", "output_tokens": "output_tokens"}  # fmt: skip
    path.write_text("[columns]\n" + "".join(f"{a} = '{b}'\n" for a, b in names.items()))
    return path


def test_a_field_renamed_inside_a_column_is_refused(tmp_path: Path) -> None:
    table = iceberg(tmp_path, exchanges(0, 2))
    with table.update_schema() as update:
        update.rename_column(("messages", "element", "content"), "text")
    with pytest.raises(InputError, match="inside the column messages was renamed"):
        open_inputs([folder(table)])


def test_partitions_give_their_values_where_a_file_lacks_them(tmp_path: Path) -> None:
    table = iceberg(tmp_path, exchanges(0, 2))
    with table.update_spec() as update:
        update.add_field("model", IdentityTransform(), "by_model")
        update.add_field("input_tokens", IdentityTransform(), "by_tokens")
    table.refresh()
    table.append(exchanges(2, 4, model=["m2", "m3"]))
    path = tmp_path / "hive.parquet"
    written = folder(table) / "data"
    like = next(iter(written.rglob("by_model=m2/**/*.parquet")))
    schema = pq.read_schema(like)
    bare = exchanges(8, 9).cast(schema).drop_columns(["model", "input_tokens"])
    pq.write_table(bare, path)
    data_file(table, path, FileFormat.PARQUET, 1, "m8", 88)
    held = read(folder(table))
    assert held["model"].to_pylist() == ["m", "m", "m2", "m3", "m8"]
    assert held["input_tokens"].to_pylist() == [0, 1, 2, 3, 88]


def test_rows_of_position_deletes_and_vectors_are_left_out(tmp_path: Path) -> None:
    table = iceberg(tmp_path, exchanges(0, 10))
    path = position_deletes(table, tmp_path, [0, 3])
    assert ids(folder(table)) == numbered(1, 2, 4, 5, 6, 7, 8, 9)
    position_deletes(table, tmp_path, [9, 3])
    table.append(exchanges(10, 12))
    expected = numbered(1, 2, 4, 5, 6, 7, 8, 10, 11)
    assert ids(folder(table)) == expected
    assert sorted(table.scan().to_arrow()["exchange_id"].to_pylist(), key=lambda n: int(n[1:])) == (
        expected
    )
    inputs = open_inputs([folder(table)])
    path.unlink()
    with pytest.raises(InputError, match="names a file that is not there") as caught:
        list(inputs.batches())
    assert caught.value.where == str(path)
    with pytest.raises(InputError, match="names a file that is not there"):
        open_inputs([folder(table)])


def test_rows_of_a_deletion_vector_are_left_out(tmp_path: Path) -> None:
    table = iceberg(tmp_path, exchanges(0, 5))
    puffin(table, tmp_path, [1, 4])
    assert ids(folder(table)) == numbered(0, 2, 3)
    (tmp_path / "vectors.puffin").write_bytes(b"PFA1nothing")
    with pytest.raises(InputError, match="list of deleted rows cannot be read"):
        read(folder(table))


def test_a_vector_that_is_damaged_or_of_another_file_is_told(tmp_path: Path) -> None:
    table = iceberg(tmp_path, exchanges(0, 5))
    puffin(table, tmp_path, [1, 4])
    place = tmp_path / "vectors.puffin"
    whole = place.read_bytes()
    at = whole.index(b"\xd1\xd3\x39\x64") + 32  # row 1 becomes row 3
    assert whole[at : at + 2] == b"\1\0"
    place.write_bytes(whole[:at] + b"\3" + whole[at + 1 :])
    with pytest.raises(InputError, match="list of deleted rows cannot be read") as caught:
        read(folder(table))
    assert caught.value.where == str(place)
    place.write_bytes(whole.replace(b'-file": "file:', b'-file": "fila:'))
    with pytest.raises(InputError, match="not the one that the table's manifests name") as caught:
        read(folder(table))
    assert caught.value.where == str(place)


def test_a_vector_of_rows_that_no_file_has_takes_no_memory(tmp_path: Path) -> None:
    table = iceberg(tmp_path, exchanges(0, 5))
    puffin(table, tmp_path, [1], key=1 << 20)
    inputs = open_inputs([folder(table)])
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="list of deleted rows cannot be read"):
            list(inputs.batches())
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_rows_deleted_by_equality_are_refused(tmp_path: Path) -> None:
    table = iceberg(tmp_path, exchanges(0, 5))
    equality_deletes(table, tmp_path, "e1")
    with pytest.raises(InputError, match="cannot be read right: rows deleted by equality"):
        open_inputs([folder(table)])


def test_a_data_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    table = iceberg(tmp_path, exchanges(0, 5))
    (tmp_path / "a.orc").write_bytes(b"ORC")
    data_file(table, tmp_path / "a.orc", FileFormat.ORC, 1)
    with pytest.raises(InputError, match="a data file in ORC") as caught:
        open_inputs([folder(table)])
    assert caught.value.where == str(tmp_path / "a.orc")


def test_which_metadata_is_the_newest(table: Table) -> None:
    metadata = folder(table) / "metadata"
    old = sorted(metadata.glob("00001-*.metadata.json"))[0]
    twin = metadata / newest(table).name.replace("-", "-f", 1)
    shutil.copy(old, twin)  # what a commit that failed leaves
    with pytest.raises(InputError, match="which metadata file is the newest"):
        open_inputs([folder(table)])
    (metadata / "version-hint.text").write_text(newest(table).name)
    assert ids(folder(table)) == numbered(0, 2, 3, 4, 5)


def test_metadata_that_were_never_committed_are_not_the_newest(table: Table) -> None:
    metadata = folder(table) / "metadata"
    old = sorted(metadata.glob("00001-*.metadata.json"))[0]
    shutil.copy(old, metadata / "12345678-0a1b-4c2d-8e3f-001122334455.metadata.json")
    assert ids(folder(table)) == numbered(0, 2, 3, 4, 5)


def test_metadata_that_unpack_to_too_much_are_refused(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = newest(table)
    place.write_bytes(gzip.compress(b" " * (2 << 20) + place.read_bytes()))
    assert ids(folder(table)) == numbered(0, 2, 3, 4, 5)
    packed = place.read_bytes()
    place.write_bytes(packed[:20] + b"\xff" * 20 + packed[40:])
    with pytest.raises(InputError, match="metadata cannot be read"):
        open_inputs([folder(table)])
    place.write_bytes(packed)
    monkeypatch.setattr("stillwatch.sources.iceberg._MOST_BYTES", 1 << 20)
    with pytest.raises(InputError, match="metadata are larger than 1 MB") as caught:
        open_inputs([folder(table)])
    assert caught.value.where == str(place)


def test_names_that_are_uuids_are_read_as_their_text(tmp_path: Path) -> None:
    names = [uuid.UUID(int=i << 64 | 0xFF) for i in range(4)]
    column = pa.array([None if i == 2 else name.bytes for i, name in enumerate(names)], pa.uuid())
    rows = exchanges(0, 4).set_column(2, "account_id", column)
    table = iceberg(tmp_path, rows)
    held = read(folder(table), max_rejects=1.0)["account_id"].to_pylist()
    assert held == [str(name) for i, name in enumerate(names) if i != 2]
    mapping = tmp_path / "mine.toml"
    names_of = ("exchange_id", "ts", "account_id", "model")
    mapping.write_text("[columns]\n" + "".join(f"{name} = '{name}'\n" for name in names_of))
    through = read(folder(table), format=str(mapping), max_rejects=1.0)
    assert through["account_id"].to_pylist() == held


def test_metadata_of_a_file_system_alone_and_compressed(table: Table) -> None:
    metadata, names = folder(table) / "metadata", []
    for number, path in enumerate(sorted(metadata.glob("*.metadata.json"))):
        names.append(metadata / f"v{number + 7}.gz.metadata.json")  # v10 comes after v9
        names[-1].write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    (metadata / "version-hint.text").write_text("8")  # what a writer that died leaves behind
    assert len(names) == 4
    assert ids(folder(table)) == numbered(0, 2, 3, 4, 5)


def test_what_is_no_file_is_not_opened(table: Table) -> None:
    current = table.current_snapshot()
    assert current is not None
    data = Path(open_inputs([folder(table)]).files[0].path)
    for path in (data, Path(current.manifest_list.removeprefix("file://"))):
        held = path.rename(path.with_name("aside"))
        os.mkfifo(path)  # whoever opens it waits without end
        with pytest.raises(InputError, match="names a file that is not there") as caught:
            open_inputs([folder(table)])
        assert caught.value.where == str(path)
        held.rename(path)


def test_what_is_broken_is_named(table: Table) -> None:
    metadata = folder(table) / "metadata"
    whole = newest(table).read_bytes()
    current = table.current_snapshot()
    assert current is not None
    listed = Path(current.manifest_list.removeprefix("file://"))
    (manifest, *_) = (Path(m.manifest_path.removeprefix("file://"))
                      for m in current.manifests(table.io))  # fmt: skip
    data = Path(open_inputs([folder(table)]).files[0].path)
    for path, why in (
        (data, "names a file that is not there"), (manifest, "names a file that is not there"),
        (listed, "names a file that is not there"),
    ):  # fmt: skip
        aside = path.rename(path.with_name("aside"))
        with pytest.raises(InputError, match=why) as caught:
            open_inputs([folder(table)])
        assert caught.value.where == str(path)
        aside.rename(path)
    for path in (manifest, listed):
        held = path.read_bytes()
        path.write_bytes(b"Obj\x01" + held[4:100])
        with pytest.raises(InputError, match="manifests cannot be read") as caught:
            open_inputs([folder(table)])
        assert caught.value.where == str(path)
        path.write_bytes(held)
    newest(table).write_bytes(whole[:-100])
    with pytest.raises(InputError, match="metadata cannot be read") as caught:
        open_inputs([folder(table)])
    assert caught.value.where == str(metadata / newest(table).name)
    assert "e1" not in caught.value.message + caught.value.hint  # a UUID in the path may have it


def test_files_elsewhere_are_refused_and_no_class_is_loaded(table: Table) -> None:
    place = newest(table)
    told = json.loads(place.read_text())
    told["properties"]["py-io-impl"] = "no.such.Class"
    place.write_text(json.dumps(told))
    assert ids(folder(table)) == numbered(0, 2, 3, 4, 5)
    place.write_text(json.dumps(told).replace("file:///", "s3://bucket/"))
    with pytest.raises(InputError, match="names files at s3://") as caught:
        open_inputs([folder(table)])
    assert caught.value.where == str(folder(table))


def test_without_the_extra_it_is_refused_and_says_what_to_install(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyiceberg.table", None)
    with pytest.raises(TableRefused, match="a table of Iceberg: ") as caught:
        open_inputs([folder(table)])
    assert "pip install 'stillwatch[lake]'" in caught.value.hint
