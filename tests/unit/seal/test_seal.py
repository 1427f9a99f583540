"""What verifies has not changed: digests, chains, keys and envelopes."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import ConfigError, EvidenceError
from stillwatch.seal import (
    Link,
    append,
    canonical,
    digest,
    new_key,
    open_sealed,
    public_key,
    read_private_key,
    read_public_key,
    seal,
    verify_chain,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


# Digests


@given(JSON)
def test_canonical_json_is_read_back_and_is_one_text(value: Any) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


def test_the_order_of_keys_does_not_matter() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"})


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), {1: 2}, [{"a": {None: 1}}], b"bytes inside", {"a": {1}}, "\ud800"],
)
def test_what_has_no_single_text_is_refused(value: Any) -> None:
    with pytest.raises(EvidenceError):
        canonical(value)


# Chains


def chain(*values: Any) -> list[Link]:
    links: list[Link] = []
    for value in values:
        links.append(append(value, links[-1] if links else None))
    return links


def test_a_whole_chain_holds() -> None:
    links = chain("a", {"b": 1}, None)
    assert verify_chain(links, last=links[-1].own) == 3
    assert verify_chain([]) == 0


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_changed_entry_is_named(place: int) -> None:
    links = chain("a", "b", "c")
    links[place] = replace(links[place], value="x")
    with pytest.raises(EvidenceError, match=f"entry {place}"):
        verify_chain(links)


def test_a_removed_a_moved_and_a_doubled_entry_are_found() -> None:
    a, b, c = chain("a", "b", "c")
    for wrong in ([a, c], [b, a, c], [a, a, b], [b, c]):
        with pytest.raises(EvidenceError):
            verify_chain(wrong)


def test_a_cut_end_is_found_only_by_the_digest_kept_apart() -> None:
    links = chain("a", "b", "c")
    assert verify_chain(links[:2]) == 2
    with pytest.raises(EvidenceError, match="end is cut"):
        verify_chain(links[:2], last=links[-1].own)


# Keys and envelopes


def test_a_key_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    new_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="not overwritten"):
        new_key(path)
    assert path.read_bytes() == before


def test_keys_are_read_back_and_rubbish_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    key = new_key(path)
    assert read_private_key(path).private_bytes_raw() == key.private_bytes_raw()
    read = read_public_key(tmp_path / "signing.pem.pub")
    assert read.public_bytes_raw() == public_key(key).public_bytes_raw()
    for reader, wrong in ((read_private_key, tmp_path / "signing.pem.pub"), (read_public_key, path),
                          (read_private_key, tmp_path / "absent")):  # fmt: skip
        with pytest.raises(ConfigError):
            reader(wrong)


def test_an_envelope_opens_with_the_key_that_signed_it(tmp_path: Path) -> None:
    ours, other = new_key(tmp_path / "a"), new_key(tmp_path / "b")
    envelope = seal(b'{"x":1}', "snapshot", [ours])
    assert open_sealed(envelope, "snapshot", [public_key(ours)]) == b'{"x":1}'
    assert open_sealed(json.dumps(envelope).encode(), "snapshot", [public_key(ours)]) == b'{"x":1}'
    with pytest.raises(EvidenceError, match="not signed"):
        open_sealed(envelope, "snapshot", [public_key(other)])
    with pytest.raises(EvidenceError, match="another kind"):
        open_sealed(envelope, "case", [public_key(ours)])


def test_every_changed_part_of_an_envelope_is_found(tmp_path: Path) -> None:
    key = new_key(tmp_path / "a")
    envelope = seal(b'{"x":1}', "snapshot", [key])
    payload = {**envelope, "payload": base64.b64encode(b'{"x":2}').decode()}
    flipped = bytearray(base64.b64decode(envelope["signatures"][0]["sig"]))
    flipped[0] ^= 1
    signature = json.loads(json.dumps(envelope))
    signature["signatures"][0]["sig"] = base64.b64encode(bytes(flipped)).decode()
    unsigned = {**envelope, "signatures": []}
    for wrong in (payload, signature, unsigned):
        with pytest.raises(EvidenceError, match="not signed"):
            open_sealed(wrong, "snapshot", [public_key(key)])


def test_one_key_that_signs_twice_is_one_signer(tmp_path: Path) -> None:
    ours, other = new_key(tmp_path / "a"), new_key(tmp_path / "b")
    keys = [public_key(ours), public_key(other)]
    once = seal(b"1", "release", [ours, ours])
    with pytest.raises(EvidenceError, match="not signed by 2"):
        open_sealed(once, "release", keys, threshold=2)
    assert open_sealed(seal(b"1", "release", [ours, other]), "release", keys, threshold=2) == b"1"


@pytest.mark.parametrize(
    "wrong",
    [b"", b"[]", b"{}", b'"x"', b"\xff", b'{"payload":1,"payloadType":"a","signatures":[]}'],
)
def test_what_is_no_envelope_is_refused(wrong: bytes, tmp_path: Path) -> None:
    key = new_key(tmp_path / "a")
    with pytest.raises(EvidenceError, match="not a DSSE envelope"):
        open_sealed(wrong, "snapshot", [public_key(key)])
