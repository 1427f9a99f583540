"""Address prefixes are the networks that Python's own module names."""

from __future__ import annotations

import ipaddress
import random

import pytest

from stillwatch.kernel.origin import address_prefix


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
