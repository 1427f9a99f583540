"""The ledger's tree is RFC 6962's, its proofs hold and no others, and nothing can be rewritten."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import ConfigError, EvidenceError
from stillwatch.seal import (
    Ledger,
    Witness,
    cosign,
    leaf_hash,
    open_checkpoint,
    public_key,
    sign_checkpoint,
    verify_consistency,
    verify_entry,
    verify_inclusion,
)
from stillwatch.seal.merkle import consistency_path, inclusion_path

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LEAVES = [b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43",
          b"\x50\x51\x52\x53\x54\x55\x56\x57", bytes(range(0x60, 0x70))]  # fmt: skip


# The oracle: RFC 6962, 2.1, word for word, on lists of leaves.


def mth(leaves):
    n = len(leaves)
    if n == 0:
        return hashlib.sha256(b"").digest()
    if n == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < n:
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m, leaves):
    n = len(leaves)
    if n == 1:
        return []
    k = 1
    while k * 2 < n:
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m, leaves, whole):
    n = len(leaves)
    if m == n:
        return [] if whole else [mth(leaves)]
    k = 1
    while k * 2 < n:
        k *= 2
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def filled(count, folder, name="ledger.db"):
    made = Ledger(folder / name, origin="hub.example/log")
    made.record_all({"number": k, "what": "submission"} for k in range(count))
    return made


def test_the_root_of_certificate_transparencys_test_tree():
    """The eight leaves and the root that implementations of RFC 6962 test with."""
    known = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert mth(LEAVES).hex() == known


@pytest.mark.parametrize("size", [*range(1, 18), 31, 33, 64, 100])
def test_roots_and_every_proof_equal_the_definitions_and_hold(tmp_path, size):
    made = filled(size, tmp_path)
    leaves = [e.commitment for e in made.entries()]
    assert made.root() == mth(leaves)
    for k in range(size):
        proof = made.inclusion(k)
        assert proof == path(k, leaves)
        verify_inclusion(leaf_hash(leaves[k]), k, size, proof, made.root())
    for first in range(1, size + 1):
        proof = made.consistency(first)
        assert proof == subproof(first, leaves, True)
        verify_consistency(first, size, mth(leaves[:first]), made.root(), proof)
    verify_consistency(0, size, mth([]), made.root(), [])


@given(st.data())
@settings(max_examples=200)
def test_no_changed_proof_holds(data):
    leaves = [bytes([k]) for k in range(data.draw(st.integers(2, 24)))]
    size = len(leaves)

    def span(start, end):
        return mth(leaves[start:end])

    number = data.draw(st.integers(0, size - 1))
    proof = inclusion_path(number, size, span)
    other = data.draw(st.integers(0, size - 1).filter(lambda k: k != number))
    for wrong in (
        (leaf_hash(leaves[other]), number, size, proof, mth(leaves)),
        (leaf_hash(leaves[number]), other, size, proof, mth(leaves)),
        (leaf_hash(leaves[number]), number, size, proof[:-1], mth(leaves)),
        (leaf_hash(leaves[number]), number, size, [*proof, b"\x00" * 32], mth(leaves)),
        (leaf_hash(leaves[number]), number, size, proof, mth(leaves[::-1])),
        (leaf_hash(leaves[number]), size, size, proof, mth(leaves)),
    ):
        with pytest.raises(EvidenceError):
            verify_inclusion(*wrong)
    first = data.draw(st.integers(1, size - 1))
    proof = consistency_path(first, size, span)
    changed = [b"other", *leaves[1:first]]
    for wrong in (
        (first, size, mth(changed), mth(leaves), proof),
        (first, size, mth(leaves[:first]), mth([b"other", *leaves[1:]]), proof),
        (first, size, mth(leaves[:first]), mth(leaves), proof[:-1]),
        (first, size, mth(leaves[:first]), mth(leaves), [*proof, b"\x01" * 32]),
        (size + 1, size, mth(leaves[:first]), mth(leaves), proof),
    ):
        with pytest.raises(EvidenceError):
            verify_consistency(*wrong)


def test_an_entry_is_salted_and_what_it_says_can_be_erased(tmp_path):
    with filled(5, tmp_path) as made:
        made.record({"number": 1, "what": "submission"})
        assert made.entry(1).commitment != made.entry(5).commitment, "equal events look different"
        root = made.root()
        made.erase(1)
        assert made.entry(1).event is None
        assert made.entry(1).salt is None
        assert made.root() == root
        assert made.verify() == 6
        with pytest.raises(EvidenceError, match="no such entry"):
            made.erase(99)


def test_a_member_checks_an_entry_off_line(tmp_path):
    key = Ed25519PrivateKey.generate()
    with filled(9, tmp_path) as made:
        note = made.checkpoint(key)
        entry, proof = made.entry(4), made.inclusion(4)
    seen = open_checkpoint(note, public_key(key), origin="hub.example/log")
    verify_entry(entry, proof, seen)
    with pytest.raises(EvidenceError, match="committed"):
        verify_entry(replace(entry, event={"number": 4, "what": "denial"}), proof, seen)
    with pytest.raises(EvidenceError, match="not in the tree"):
        verify_entry(replace(entry, number=5), proof, seen)


@pytest.mark.parametrize(
    "change",
    ["UPDATE entries SET event = '{}' WHERE number = 3", "DELETE FROM entries WHERE number = 3",
     "UPDATE entries SET commitment = x'00' WHERE number = 3",
     "UPDATE nodes SET hash = x'00' WHERE level = 1 AND place = 1"],
)  # fmt: skip
def test_a_change_in_the_file_is_named(tmp_path, change):
    made = filled(8, tmp_path)
    made.close()
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute(change)
    db.close()
    with (
        Ledger(tmp_path / "ledger.db", origin="x") as again,
        pytest.raises(EvidenceError, match=r"entry 3|level 1"),
    ):
        again.verify()


def test_what_cannot_be_written_leaves_no_trace(tmp_path):
    with filled(3, tmp_path) as made:
        with pytest.raises(EvidenceError):
            made.record_all([{"fine": 1}, {"bad": float("nan")}])
        assert made.size == 3
        assert made.verify() == 3


WRITER = """
import sys
from stillwatch.seal import Ledger
made = Ledger(sys.argv[1], origin="x")
for k in range(int(sys.argv[2])):
    made.record({"writer": sys.argv[3], "number": k})
    print(k, flush=True)
"""


def start(path, count, name):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(count), name], stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def test_two_processes_write_to_one_ledger(tmp_path):
    writers = [start(tmp_path / "l.db", 40, name) for name in "ab"]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.read()
        writer.stdout.close()
        assert writer.wait(120) == 0
    with Ledger(tmp_path / "l.db", origin="x") as made:
        assert made.verify() == 80
        told = [
            (e.event or {})["number"] for e in made.entries() if (e.event or {})["writer"] == "a"
        ]
        assert told == list(range(40))


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    writer = start(tmp_path / "l.db", 100_000, "a")
    assert writer.stdout is not None
    last = -1
    until = time.monotonic() + 120
    while last < 30 and time.monotonic() < until:
        last = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.stdout.read().split()
    writer.stdout.close()
    writer.wait()
    last = max([last, *map(int, rest)])
    with Ledger(tmp_path / "l.db", origin="x") as made:
        assert made.size >= last + 1
        assert made.verify() == made.size
        made.record({"after": True})
        assert made.verify() == made.size


# Checkpoints


def test_a_checkpoint_is_the_text_of_the_standard(tmp_path: Path):
    key = Ed25519PrivateKey.generate()
    with filled(2, tmp_path) as made:
        note = made.checkpoint(key)
    lines = note.split("\n")
    assert lines[:2] == ["hub.example/log", "2"]
    assert lines[3] == ""
    assert lines[4].startswith("\u2014 hub.example/log ")
    assert lines[5:] == [""]


def test_a_checkpoint_of_somebody_else_or_a_changed_one_is_refused():
    key, witness = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    note = sign_checkpoint("log", 7, b"\x07" * 32, key)
    both = cosign(note, "witness", witness, now=NOW)
    trusted = {"witness": public_key(witness)}
    seen = open_checkpoint(both, public_key(key), origin="log", witnesses=trusted, threshold=1)
    assert (seen.size, seen.cosigned) == (7, {"witness": NOW})
    wrong = [
        (note.replace("\n7\n", "\n8\n"), public_key(key), "log"),
        (note, public_key(witness), "log"),
        (note, public_key(key), "other"),
        (note.replace("log\n7", "log\n07"), public_key(key), "log"),
        ("nonsense", public_key(key), "log"),
        (note + "not a signature line\n", public_key(key), "log"),
    ]
    for text, trusted_key, origin in wrong:
        with pytest.raises(EvidenceError):
            open_checkpoint(text, trusted_key, origin=origin)
    with pytest.raises(EvidenceError, match="fewer than 1"):
        open_checkpoint(note, public_key(key), origin="log", witnesses=trusted, threshold=1)
    with pytest.raises(EvidenceError, match="does not verify"):
        open_checkpoint(
            both.replace("\n7\n", "\n8\n"), public_key(key), origin="log", witnesses=trusted
        )
    with pytest.raises(ConfigError):
        sign_checkpoint("two words", 0, b"\x00" * 32, key)


def test_a_witness_refuses_a_ledger_that_forks(tmp_path):
    key = Ed25519PrivateKey.generate()
    witness = Witness("w", Ed25519PrivateKey.generate(), origin="hub.example/log",
                      ledger=public_key(key))  # fmt: skip
    with filled(4, tmp_path) as made, filled(6, tmp_path, "fork.db") as fork:
        witness.cosign(made.checkpoint(key), [], now=NOW)
        made.record({"more": 1})
        witness.cosign(made.checkpoint(key), made.consistency(4), now=NOW)
        assert witness.last is not None
        assert witness.last.size == 5
        with pytest.raises(EvidenceError, match="no beginning"):
            witness.cosign(fork.checkpoint(key), fork.consistency(5), now=NOW)
        assert witness.last.size == 5
