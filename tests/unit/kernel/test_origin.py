"""Address prefixes are the networks that Python's own module names."""

from __future__ import annotations

import ipaddress
import random

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.kernel import envelopes
from stillwatch.kernel.implementation import native
from stillwatch.kernel.origin import address_prefix, client_hash, prefix_hash, text_hash
from stillwatch.schema.arrow import EXCHANGE


def network(address: str) -> str:
    parsed = ipaddress.ip_address(address.strip())
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bits = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network((parsed, bits), strict=False))


def test_random_addresses_in_every_spelling():
    rng = random.Random(3)
    for _ in range(500):
        bits = rng.getrandbits(128) & rng.choice([rng.getrandbits(128), 2**128 - 1])
        six, four = ipaddress.IPv6Address(bits), ipaddress.IPv4Address(bits >> 96)
        for word in (
            str(six), six.exploded, f"{six}%eth0", str(four), f" {four} ", f"::ffff:{four}",
        ):  # fmt: skip
            assert address_prefix(word) == network(word), word


@pytest.mark.parametrize("word", ["", "10.0.0", "010.0.0.1", "10.0.0.256", "host", "::1::"])
def test_what_is_no_address_has_no_prefix(word):
    assert address_prefix(word) is None


@pytest.mark.parametrize(
    "word", ["::", "::1", "0:0:1::", "0:1::7", "1::", "1:0:2:3::", "1:0:0:3::", "::ffff:0:1.2.3.4",
             "2001:DB8:0:0:8:800:200C:417A", "64:ff9b::1.2.3.4", "1:2:3:4:5:6:7::"],
)  # fmt: skip
def test_runs_of_zeros_are_written_as_the_module_writes_them(word):
    assert address_prefix(word) == network(word)


def words(count: int) -> list[str | None]:
    """Return texts of all lengths around those of a block, some of them absent."""
    rng = random.Random(4)
    made = ["".join(rng.choices("ab\0é漢\n", k=size)) for size in range(count)]
    return [None if rng.random() < 0.1 else word for word in made]


def test_texts_are_hashed_by_the_kernel_as_by_the_library():
    assert native() is not None
    given = ["a" * 127, "a" * 128, "a" * 129, "b" * 256, "", None, *words(300)]
    for kind in (pa.string(), pa.large_string()):
        array = pa.array(given, kind)
        expected = [text_hash(word) for word in given]
        assert envelopes.text_hashes(array).tolist() == expected
        assert envelopes.text_hashes(array.slice(3, 90)).tolist() == expected[3:93]
        assert envelopes.text_hashes(array.slice(0, 0)).tolist() == []


def test_the_reference_hashes_texts_alike(monkeypatch):
    array = pa.array(words(40))
    fast = envelopes.text_hashes(array)
    monkeypatch.setattr(envelopes, "native", lambda: None)
    assert np.array_equal(envelopes.text_hashes(array), fast)


def test_offsets_that_leave_their_buffer_are_refused():
    offsets = pa.py_buffer(np.array([0, 99, 6], dtype=np.int32))
    broken = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"abcdef")])
    with pytest.raises(ValueError, match="outside its buffer"):
        envelopes.text_hashes(broken)


def test_a_log_and_one_request_have_the_same_origins():
    origins = [
        ("10.1.2.3", "t13", "curl"), ("2001:db8::1", None, "curl"), ("host", "t13", None),
        (None, None, None), ("::ffff:10.1.2.9", "", ""),
    ]  # fmt: skip
    given = {"ip": [a for a, _, _ in origins], "ja4": [b for _, b, _ in origins],
             "user_agent": [c for _, _, c in origins]}  # fmt: skip
    batch = pa.RecordBatch.from_arrays(
        [pa.array(given.get(f.name, [None] * len(origins)), f.type) for f in EXCHANGE],
        schema=EXCHANGE,
    )
    found = dict(zip(envelopes.ENVELOPE.names, envelopes.envelope(batch), strict=True))
    assert found["h_prefix"].to_pylist() == [prefix_hash(ip) for ip, _, _ in origins]
    assert found["h_client"].to_pylist() == [client_hash(ja4, ua) for _, ja4, ua in origins]
