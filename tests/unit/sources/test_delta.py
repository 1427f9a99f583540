"""A table of Delta Lake is read by its log: what it holds now, or held at a version."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from lake_tables import actions, commit, commits, delete_rows, exchanges

from stillwatch.errors import ConfigError, InputError
from stillwatch.sources import TableRefused, find_files, open_file, open_inputs


def read(*paths: Path | str, **options: Any) -> pa.Table:
    inputs = open_inputs(paths, **options)
    return pa.Table.from_batches(list(inputs.batches())).sort_by("ts")


def ids(*paths: Path | str, **options: Any) -> list[str]:
    return read(*paths, **options)["exchange_id"].to_pylist()


def numbered(*numbers: int) -> list[str]:
    return [f"e{i}" for i in numbers]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a table of e0 to e5, of which e1 was deleted, and e5 appended first of all."""
    path = tmp_path / "requests"
    write_deltalake(path, exchanges(5, 6))
    write_deltalake(path, exchanges(0, 5), mode="append")
    DeltaTable(path).delete("exchange_id = 'e1'")
    return path


def test_deleted_rows_do_not_come_back_and_appended_ones_are_there(table: Path) -> None:
    assert ids(table) == numbered(0, 2, 3, 4, 5)
    raw = [pq.read_table(path)["exchange_id"].to_pylist() for path in table.glob("*.parquet")]
    assert any("e1" in names for names in raw)  # its file is still there


def test_a_version_that_is_named_is_read(table: Path) -> None:
    assert ids(f"{table}@0") == ["e5"]
    assert ids(f"{table}@1") == numbered(*range(6))
    assert ids(f"{table}@2") == ids(table)


def test_an_overwritten_table_holds_what_it_was_overwritten_with(table: Path) -> None:
    write_deltalake(table, exchanges(20, 22), mode="overwrite")
    assert ids(table) == numbered(20, 21)
    assert ids(f"{table}@2") == numbered(0, 2, 3, 4, 5)


def test_the_same_rows_as_those_of_plain_parquet(table: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    rows = exchanges(0, 6)
    pq.write_table(rows.filter(pa.array([i != 1 for i in range(6)])), plain / "a.parquet")
    assert read(table).equals(read(plain))
    for format in ("auto", "parquet"):
        inputs = open_inputs([table], format=format)
        assert (inputs.formats, inputs.columns) == (("parquet",), open_inputs([plain]).columns)


def test_what_is_written_while_it_is_read_is_not_read(table: Path) -> None:
    inputs = open_inputs([table])
    write_deltalake(table, exchanges(6, 9), mode="append")
    DeltaTable(table).delete("exchange_id = 'e0'")
    expected = numbered(0, 2, 3, 4, 5)
    assert sorted(i for b in inputs.batches() for i in b["exchange_id"].to_pylist()) == expected
    again = inputs.again()
    assert sorted(i for b in again.batches() for i in b["exchange_id"].to_pylist()) == expected
    assert [(t.name, t.kind, t.version) for t in inputs.tables] == [("requests", "Delta Lake", 2)]


def test_a_file_that_is_vacuumed_meanwhile_is_named(table: Path) -> None:
    inputs = open_inputs([table])
    DeltaTable(table).delete("exchange_id = 'e0'")
    kept = {f.path for f in inputs.files}
    DeltaTable(table).vacuum(0, enforce_retention_duration=False, dry_run=False)
    (lost,) = (path for path in kept if not Path(path).exists())
    with pytest.raises(InputError, match="not there") as caught:
        list(inputs.batches())
    assert caught.value.where == Path(lost).name
    with pytest.raises(InputError, match="not there") as caught:
        open_inputs([f"{table}@2"])
    assert caught.value.where == lost


def test_columns_that_came_later_are_null_before(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    write_deltalake(path, exchanges(0, 2))
    wider = exchanges(2, 4, country=["AT", "DE"])
    write_deltalake(path, wider, mode="append", schema_mode="merge")
    held = read(path)
    assert held["country"].to_pylist() == [None, None, "AT", "DE"]
    assert "country" in open_inputs([path]).columns
    write_deltalake(path, exchanges(4, 5), mode="overwrite", schema_mode="overwrite")
    assert "country" not in open_inputs([path]).columns


def test_columns_that_were_dropped_do_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    write_deltalake(path, exchanges(0, 2, country=["AT", "DE"]))
    told = next(a["metaData"] for a in actions(path) if "metaData" in a)
    schema = json.loads(told["schemaString"])
    schema["fields"] = [f for f in schema["fields"] if f["name"] != "country"]
    commit(path, {"metaData": {**told, "schemaString": json.dumps(schema)}})
    assert read(path)["country"].null_count == 2


@pytest.mark.parametrize("name", ["plain", "a b/ä%20=:'"])
def test_partitions_give_their_values(name: str, tmp_path: Path) -> None:
    path = tmp_path / "requests"
    models = [name, name, None, "m2"]
    rows = exchanges(0, 4, model=models, org_id=models, day=["2026-01-01"] * 4)
    write_deltalake(path, rows, partition_by=["org_id", "day"])
    held = read(path, max_rejects=1.0)
    assert held["exchange_id"].to_pylist() == numbered(0, 1, 3)  # e2 has no model
    assert held["org_id"].to_pylist() == held["model"].to_pylist() == [name, name, "m2"]


@pytest.mark.parametrize("inline", [True, False])
def test_rows_of_a_deletion_vector_are_left_out(inline: bool, tmp_path: Path) -> None:
    path = tmp_path / "real place" / "requests"
    write_deltalake(path, exchanges(0, 10), partition_by=["account_id"])
    delete_rows(path, [0, 3], inline=inline)
    (tmp_path / "named").symlink_to(path)
    kept = ids(path)
    assert len(kept) == 8
    assert ids(tmp_path / "named") == kept
    theirs = pa.table(DeltaTable(path).scan())["exchange_id"].to_pylist()
    assert kept == sorted(theirs)
    assert len(ids(f"{path}@0")) == 10


def test_positions_of_deleted_rows_count_over_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "requests"
    write_deltalake(path, exchanges(0, 50))
    delete_rows(path, [0, 16, 17, 48, 49], inline=True)
    monkeypatch.setattr("stillwatch.sources.parquet_batches.MAX_BATCH_ROWS", 17)
    assert ids(path) == numbered(*(i for i in range(50) if i not in (0, 16, 17, 48, 49)))


def mapped(table: Path, stored: str) -> None:
    """Switch column mapping by name on: `country` is stored under this name."""
    told = next(a["metaData"] for a in actions(table) if "metaData" in a)
    schema = json.loads(told["schemaString"])
    for number, one in enumerate(schema["fields"]):
        name = stored if one["name"] == "country" else one["name"]
        one["metadata"] = {
            "delta.columnMapping.id": number + 1, "delta.columnMapping.physicalName": name,
        }  # fmt: skip
    element = next(f for f in schema["fields"] if f["name"] == "messages")["type"]["elementType"]
    for number, one in enumerate(element["fields"]):
        one["metadata"] = {
            "delta.columnMapping.id": 20 + number,
            "delta.columnMapping.physicalName": one["name"],
        }
    configuration = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "30"}
    commit(
        table,
        {"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}},
        {"metaData": {**told, "schemaString": json.dumps(schema), "configuration": configuration}},
    )


def test_column_mapping_is_read_while_names_are_their_own_and_refused_after(tmp_path: Path) -> None:
    for stored in ("country", "col-5"):
        write_deltalake(tmp_path / stored, exchanges(0, 2, country=["AT", "DE"]))
        mapped(tmp_path / stored, stored)
    assert read(tmp_path / "country")["country"].to_pylist() == ["AT", "DE"]
    with pytest.raises(InputError, match=r"cannot be read right: .*columnMapping"):
        open_inputs([tmp_path / "col-5"])


def required(table: Path, *features: str, version: int = 3) -> None:
    """Have a table say that who reads it must know these features."""
    names = {"readerFeatures": list(features), "writerFeatures": list(features)}
    told = names if version == 3 else {}
    commit(table, {"protocol": {"minReaderVersion": version, "minWriterVersion": 7, **told}})


@pytest.mark.parametrize("feature", ["vacuumProtocolCheck", "v2Checkpoint", "timestampNtz"])
def test_features_that_do_not_change_what_is_read(feature: str, table: Path) -> None:
    required(table, feature)
    assert ids(table) == numbered(0, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("features", "told"),
    [
        (["variantType"], "variantType"),
        (["catalogManaged", "timestampNtz"], "catalogManaged"),
        (["soonInvented"], "soonInvented"),
        (["deletionVectors", "vacuumProtocolCheck"], "deletionVectors beside vacuumProtocolCheck"),
    ],
)
def test_other_features_are_refused_by_name(features: list[str], told: str, table: Path) -> None:
    required(table, *features)
    with pytest.raises(InputError, match=f"cannot be read right: {told}"):
        open_inputs([table])


def test_a_later_protocol_is_refused(table: Path) -> None:
    required(table, version=4)
    with pytest.raises(InputError, match="cannot be read right: protocol version 4"):
        open_inputs([table])


def test_a_checkpoint_stands_for_the_log_before_it(table: Path) -> None:
    DeltaTable(table).create_checkpoint()
    for path in commits(table)[:2]:
        path.unlink()
    assert ids(table) == numbered(0, 2, 3, 4, 5)
    with pytest.raises(InputError, match="version 1 cannot be read any more") as caught:
        open_inputs([f"{table}@1"])
    assert "the log before version 2 was cleaned" in caught.value.message
    (checkpoint,) = (table / "_delta_log").glob("*.checkpoint.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    with pytest.raises(InputError, match="a damaged checkpoint") as caught:
        open_inputs([table])
    assert caught.value.where == f"{table}/_delta_log/{checkpoint.name}"


def test_a_broken_log_is_named(table: Path) -> None:
    damaged = commits(table)[1]
    whole = damaged.read_text()
    damaged.write_text(whole[:-20])
    with pytest.raises(InputError, match=r"log is broken: line \d is no JSON object") as caught:
        open_inputs([table])
    assert caught.value.where == f"{table}/_delta_log/{damaged.name}"
    damaged.unlink()
    with pytest.raises(InputError, match="log is broken: it is not there") as caught:
        open_inputs([table])
    assert caught.value.where == f"{table}/_delta_log/{damaged.name}"
    assert not any(text in str(caught.value) for text in ("e1", "text"))


@pytest.mark.parametrize(
    "protocol",
    [
        7,
        {"minReaderVersion": "3"},
        {"minReaderVersion": 3, "readerFeatures": 1.5},
        {"minReaderVersion": 3, "readerFeatures": [{}]},
    ],
)
def test_a_protocol_that_is_none_is_named(protocol: Any, table: Path) -> None:
    commit(table, {"protocol": protocol})
    with pytest.raises(InputError, match="log is broken: line 2 is no protocol") as caught:
        open_inputs([table])
    assert caught.value.where == f"{table}/_delta_log/{commits(table)[-1].name}"


def test_a_log_nested_without_end_is_named(table: Path) -> None:
    commits(table)[-1].write_text('{"a":' * 100_000)
    with pytest.raises(InputError, match="log is broken: line 1 is no JSON object"):
        open_inputs([table])


def test_a_feature_named_by_control_characters_is_not_shown(table: Path) -> None:
    required(table, "\x1b[2Jgone", "variantType")
    with pytest.raises(InputError, match="variantType, a feature whose name is none") as caught:
        open_inputs([table])
    assert "\x1b" not in str(caught.value)


def test_a_deletion_vector_that_ends_the_library_is_a_broken_log(table: Path) -> None:
    delete_rows(table, [0], inline=True)
    last = commits(table)[-1]
    told = [json.loads(line) for line in last.read_text().splitlines()]
    told[-1]["add"]["deletionVector"]["pathOrInlineDv"] = ""
    last.write_text("\n".join(map(json.dumps, told)))
    with pytest.raises(InputError, match="log cannot be read"):
        open_inputs([table])


def added(table: Path, path: str) -> None:
    """Add the table's last data file once more, at another path."""
    told = [a["add"] for a in actions(table) if "add" in a][-1]
    commit(table, {"add": {**told, "path": path}})


@pytest.mark.parametrize("path", ["../other/a.parquet", "x/%2E%2E/../a.parquet"])
def test_a_path_out_of_the_folder_is_refused(path: str, table: Path) -> None:
    (table.parent / "other").mkdir()
    pq.write_table(exchanges(7, 8), table.parent / "other" / "a.parquet")
    added(table, path)
    with pytest.raises(InputError, match="outside of its folder") as caught:
        open_inputs([table])
    assert caught.value.where == str(table)


@pytest.mark.parametrize(("name", "taken_for"), [("a%20b", "a b"), ("a\\b", "a/b")])
def test_the_log_of_another_folder_is_not_read(name: str, taken_for: str, tmp_path: Path) -> None:
    """deltalake takes one folder's name for the other's; both have files of the same names."""
    write_deltalake(tmp_path / "made", exchanges(0, 4))
    (tmp_path / "made").rename(tmp_path / name)
    shutil.copytree(tmp_path / name, tmp_path / taken_for)
    delete_rows(tmp_path / name, [1], inline=True)
    with pytest.raises(InputError, match="would read another folder") as caught:
        open_inputs([tmp_path / name])
    assert caught.value.where == str(tmp_path / name)
    (tmp_path / "%41").symlink_to(tmp_path / taken_for)
    assert ids(tmp_path / "%41") == numbered(*range(4))


def test_what_is_no_file_is_not_opened(table: Path) -> None:
    os.mkfifo(table / "pipe.parquet")  # whoever opens it waits without end
    added(table, "pipe.parquet")
    with pytest.raises(InputError, match="names a file that is not there"):
        open_inputs([table])


def test_files_in_an_object_store_are_refused(table: Path) -> None:
    added(table, "s3://bucket/a.parquet")
    with pytest.raises(InputError, match="names files at s3://"):
        open_inputs([table])


def test_a_version_that_there_is_not(table: Path) -> None:
    with pytest.raises(InputError, match="has no version 7") as caught:
        open_inputs([f"{table}@7"])
    assert "newest is 2" in caught.value.hint
    with pytest.raises(InputError, match=f"has no version {10**30}"):
        open_inputs([f"{table}@{10**30}"])
    with pytest.raises(InputError, match="no such file"):
        open_inputs([f"{table}-elsewhere@7"])
    for path in (table / "_delta_log").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="log cannot be read"):
        open_inputs([table])


def test_a_missing_and_a_damaged_data_file_are_named(table: Path) -> None:
    one, other = (Path(file.path) for file in open_inputs([table]).files)
    one.write_bytes(one.read_bytes()[:-30])
    with pytest.raises(InputError, match="damaged or truncated") as caught:
        open_inputs([table])
    assert caught.value.where == one.name
    other.unlink()
    with pytest.raises(InputError, match="names a file that is not there") as caught:
        open_inputs([table])
    assert caught.value.where == str(other)


def test_a_folder_of_tables_and_files(table: Path, tmp_path: Path) -> None:
    write_deltalake(tmp_path / "more" / "requests", exchanges(30, 31))
    pq.write_table(exchanges(40, 41), tmp_path / "more" / "b.parquet")
    inputs = open_inputs([tmp_path])
    assert ids(tmp_path) == numbered(0, 2, 3, 4, 5, 30, 40)
    assert [(t.name, t.version) for t in inputs.tables] == [("requests", 0), ("requests", 2)]


def test_one_table_by_two_names_is_read_once(table: Path, tmp_path: Path) -> None:
    (tmp_path / "named").symlink_to(table)
    assert ids(table, f"{table}/../requests", tmp_path / "named") == numbered(0, 2, 3, 4, 5)
    with pytest.raises(ConfigError, match="two versions"):
        open_inputs([table, f"{tmp_path}/named@0"])


def test_a_table_and_its_clone_are_not_both_read(table: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    write_deltalake(clone, exchanges(30, 31))
    (shared,) = open_inputs([f"{table}@0"]).files
    added(clone, shared.path)
    assert ids(clone) == numbered(5, 30)
    with pytest.raises(ConfigError, match="it shares a data file with the table clone") as caught:
        open_inputs([tmp_path / "clone", table])
    assert caught.value.where == "requests"


def test_one_table_at_two_versions_and_a_version_of_no_table(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two versions"):
        open_inputs([table, f"{table}@0"])
    with pytest.raises(ConfigError, match="no table"):
        open_inputs([f"{tmp_path}@3"])
    pq.write_table(exchanges(0, 1), tmp_path / "log@3")
    assert ids(tmp_path / "log@3") == ["e0"]


def test_a_table_without_rows(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "requests", exchanges(0, 0))
    with pytest.raises(InputError, match="no file in it") as caught:
        open_inputs([tmp_path / "requests"])
    assert "a table without rows" in caught.value.hint


def test_without_the_extra_it_is_refused_and_says_what_to_install(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(TableRefused, match="a table of Delta Lake: ") as caught:
        open_inputs([table])
    assert "pip install 'stillwatch[lake]' (deltalake is missing)" in caught.value.hint
    assert "own connector" in caught.value.hint


def test_hudi_stays_refused_and_who_watches_is_told(table: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / ".hoodie").mkdir(parents=True)
    (tmp_path / "other" / ".hoodie" / "hoodie.properties").write_text("")
    with pytest.raises(TableRefused, match="a table of Hudi"):
        open_inputs([tmp_path / "other"])
    with pytest.raises(TableRefused, match="a table of Delta Lake") as caught:
        find_files([table])
    assert "`scan` and `ingest` read it" in caught.value.hint


def test_names_of_its_own_are_read_through_a_mapping(tmp_path: Path) -> None:
    rows = exchanges(0, 4).rename_columns({"exchange_id": "request", "account_id": "customer"})
    write_deltalake(tmp_path / "requests", rows)
    DeltaTable(tmp_path / "requests").delete("request = 'e2'")
    mapping = tmp_path / "mine.toml"
    mapping.write_text(
        "[columns]\nexchange_id = 'request'\naccount_id = 'customer'\nts = 'ts'\nmodel = 'model'\n"
    )
    assert ids(tmp_path / "requests", format=str(mapping)) == numbered(0, 1, 3)


def test_a_batch_at_a_time_of_a_file_of_one_row_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillwatch.sources.parquet_batches.MAX_BATCH_BYTES", 1 << 20)
    texts = [f"{i:08}" * 4_000 for i in range(1_000)]  # 32 MB
    write_deltalake(tmp_path / "requests", exchanges(0, 1_000, output_text=texts))
    (file,) = open_inputs([tmp_path / "requests"]).files
    assert file.table is not None
    assert pq.read_metadata(file.path).num_row_groups == 1
    before, most, rows = pa.total_allocated_bytes(), 0, 0
    for batch in pa.ipc.open_stream(file.table.open(file.name)):
        rows += batch.num_rows
        most = max(most, pa.total_allocated_bytes() - before)
        del batch
    assert rows == 1_000
    assert most < 8 << 20


def test_what_is_opened_is_not_yet_read_and_not_held_once_closed(tmp_path: Path) -> None:
    texts = [f"{i:08}" * 1_000 for i in range(250)]  # 2 MB
    for _ in range(4):
        write_deltalake(tmp_path / "requests", exchanges(0, 250, output_text=texts), mode="append")
    before, held = pa.total_allocated_bytes(), []
    gc.disable()  # what is only freed by a search for cycles is held until one is made
    try:
        inputs = open_inputs([tmp_path / "requests"])
        held.append(pa.total_allocated_bytes() - before)
        for file in inputs.files:
            with open_file(file) as (handle, _):
                first = next(b for b in pa.ipc.open_stream(handle) if b.num_rows)
                assert first.num_rows == 250
                del first
            held.append(pa.total_allocated_bytes() - before)
    finally:
        gc.enable()
    assert max(held) < 1 << 20


def test_damage_behind_the_names_is_told_when_it_is_read(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "requests", exchanges(0, 250))
    (file,) = open_inputs([tmp_path / "requests"]).files
    data = bytearray(Path(file.path).read_bytes())
    data[4:400] = bytes(396)
    Path(file.path).write_bytes(data)
    inputs = open_inputs([tmp_path / "requests"])  # asks for no row
    with pytest.raises(InputError, match="damaged or truncated Parquet file") as caught:
        list(inputs.batches())
    assert caught.value.where == file.name
