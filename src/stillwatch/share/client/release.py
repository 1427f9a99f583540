"""Two persons release what leaves; one suffices for corrections, which must not wait.

1. The reviewer signs the package's digest, purpose, legal basis and the day the release runs out.
2. A different person signs the same.
3. A claim about an operator needs counsel among the signers.
4. Before anything is sent all of it is checked again: signatures, dates, legal basis, guard.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stillwatch.errors import ShareRefused
from stillwatch.schema import write_whole
from stillwatch.seal import canonical, countersign, payload_of, public_key, seal, signers
from stillwatch.share.antitrust import refusals
from stillwatch.share.client.home import Home, stamp
from stillwatch.share.client.known import known_to
from stillwatch.share.client.packages import RELEASE, Package
from stillwatch.share.legal import in_force
from stillwatch.share.shape import read_time

__all__ = ["check_release", "needed", "release", "review"]

_KIND: Final = "release"


def needed(package: Package) -> int:
    """Return how many persons must sign: two, or one for a correction."""
    return 1 if package.purpose == "correction" else 2


def review(
    home: Home, package: Package, person: str, key: Ed25519PrivateKey, *, now: datetime
) -> int:
    """Sign as the first person and return how many have signed.

    A review that ran out is replaced; one that holds is left, and the same person's again changes
    nothing.

    Raises:
        ShareRefused: the key is not this person's, the guard or legal basis refuses, or another
            person has reviewed already (then `release`).
    """
    _own(home, person, key)
    held = package.envelope()
    if held is not None and not _ran_out(held, now):
        names = _signers(home, held)
        if person in names:
            return len(names)
        raise ShareRefused(
            "two-persons: it was reviewed by somebody else", hint="the second person releases it"
        )
    basis = in_force(home.bases, package.purpose, now=now)
    _guard(home, package, now)
    expires = min(now + home.approval, basis.until)
    payload = canonical({
        "package": package.digest, "purpose": package.purpose, "legal_basis": basis.name,
        "expires": stamp(expires), "reviewed_at": stamp(now),
    })  # fmt: skip
    write_whole(package.path / RELEASE, canonical(seal(payload, _KIND, [key])))
    _record(home, "reviewed", package, person, now)
    return 1


def release(
    home: Home, package: Package, person: str, key: Ed25519PrivateKey, *, now: datetime
) -> int:
    """Sign as the second person and return how many have signed.

    Raises:
        ShareRefused: not reviewed, ran out, the same person, the same key, or a refusal.
    """
    _own(home, person, key)
    held = package.envelope()
    if held is None or _ran_out(held, now):
        raise ShareRefused("two-persons: nobody has reviewed it, or too long ago")
    names = _signers(home, held)
    if person in names:
        if len(names) >= needed(package):
            return len(names)  # again: changes nothing
        raise ShareRefused("two-persons: the same person cannot review and release")
    in_force(home.bases, package.purpose, now=now)
    _guard(home, package, now)
    write_whole(package.path / RELEASE, canonical(countersign(held, _KIND, key)))
    _record(home, "released", package, person, now)
    return len(names) + 1


def check_release(home: Home, package: Package, *, now: datetime) -> None:
    """Check that a package may leave now.

    Raises:
        ShareRefused: names the first thing that is missing.
    """
    held = package.envelope()
    if held is None:
        raise ShareRefused("two-persons: nobody has reviewed it")
    names = _signers(home, held)
    if len(names) < needed(package):
        raise ShareRefused(f"two-persons: {len(names)} of {needed(package)} have signed")
    if package.needs_counsel and not any(home.people[name].counsel for name in names):
        raise ShareRefused("released-actor: counsel has not signed")
    said = _payload(held)
    if (said["package"], said["purpose"]) != (package.digest, package.purpose):
        raise ShareRefused("two-persons: the release is of another package")
    if _ran_out(held, now):
        raise ShareRefused("two-persons: the release has run out", hint="review it again")
    in_force(home.bases, package.purpose, now=now)
    _guard(home, package, now)
    if package.not_before is not None and now < package.not_before:
        raise ShareRefused("sightings-of-campaigns: it waits for its time", hint="send later")


def _own(home: Home, person: str, key: Ed25519PrivateKey) -> None:
    known = home.people.get(person)
    own = public_key(key).public_bytes_raw()
    if known is None or known.key.public_bytes_raw() != own:
        raise ShareRefused("two-persons: the key is not this person's", hint="see [people]")


def _signers(home: Home, held: dict[str, Any]) -> frozenset[str]:
    return signers(held, _KIND, {name: person.key for name, person in home.people.items()})


def _payload(held: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(payload_of(held, _KIND))
    return found


def _ran_out(held: dict[str, Any], now: datetime) -> bool:
    expires = read_time(_payload(held)["expires"])
    return expires is None or now >= expires


def _guard(home: Home, package: Package, now: datetime) -> None:
    known = known_to(home, package.objects)
    found = sorted({why for one in package.objects for why in refusals(one, now=now, known=known)})
    if found:
        raise ShareRefused("; ".join(found[:5]), hint="see docs/antitrust.md")


def _record(home: Home, what: str, package: Package, person: str, now: datetime) -> None:
    with home.ledger() as ledger:
        ledger.record({"what": what, "at": stamp(now), "package": package.digest, "by": person})
