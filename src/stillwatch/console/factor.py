"""A second factor beside a local password: codes of an authenticator (TOTP, RFC 6238).

SHA-1, six digits, 30 seconds: what every authenticator takes. Secrets lie encrypted under a key of
the console's folder, so that the shared database alone gives none away.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from stillwatch.console.home import Home, factors
from stillwatch.errors import ConfigError, InputError
from stillwatch.schema import to_micros

__all__ = [
    "asked_of", "begin_factor", "confirm_factor", "drop_factor", "has_factor", "holders", "takes",
]  # fmt: skip

_STEP_S: Final = 30
_AROUND: Final = (0, -1, 1)  # steps that count as now: clocks differ (RFC 6238, 5.2)
_BYTES: Final = 20  # as long as SHA-1's digest (RFC 4226, section 4, R6)


def begin_factor(home: Home, login: str) -> tuple[str, str]:
    """Make a secret; return it in base32 and as an ``otpauth`` address.

    It counts for nothing before `confirm_factor`. Raises ConfigError: there is one in force.
    """
    if has_factor(home, login):
        raise ConfigError("there is a second factor already", where="second factor",
                          hint="remove that one first")  # fmt: skip
    secret = secrets.token_bytes(_BYTES)
    with home.engine.begin() as connection:
        connection.execute(sa.delete(factors).where(factors.c.login == login))
        connection.execute(sa.insert(factors).values(
            login=login, secret=_box(home).encrypt(secret).decode(), confirmed=False, last_step=0
        ))  # fmt: skip
    shown = base64.b32encode(secret).decode()
    return shown, _totp(secret).get_provisioning_uri(login, "stillwatch")


def confirm_factor(home: Home, login: str, code: str, *, now: datetime) -> None:
    """Put a begun factor in force. Raises ConfigError: the code is not one of its codes."""
    if not _spend(home, login, code, now=now, confirmed=False):
        raise ConfigError("that is not the code of now", where="second factor",
                          hint="check the key and the clock of the authenticator")  # fmt: skip


def drop_factor(home: Home, login: str) -> None:
    """Take a person's factor away."""
    with home.engine.begin() as connection:
        connection.execute(sa.delete(factors).where(factors.c.login == login))


def has_factor(home: Home, login: str) -> bool:
    """Tell whether a person must give a code."""
    with home.engine.connect() as connection:
        return bool(
            connection.scalar(sa.select(factors.c.confirmed).where(factors.c.login == login))
        )


def asked_of(demanded: Collection[str], roles: Collection[str]) -> bool:
    """Tell whether whoever has these roles must have a second factor."""
    return not set(demanded).isdisjoint(roles)


def holders(home: Home) -> frozenset[str]:
    """Return the logins of everyone with a factor in force."""
    with home.engine.connect() as connection:
        return frozenset(
            connection.execute(sa.select(factors.c.login).where(factors.c.confirmed)).scalars()
        )


def takes(home: Home, login: str, code: str, *, now: datetime) -> bool:
    """Tell whether a code opens, and spend it: each opens once. True where there is no factor."""
    return not has_factor(home, login) or _spend(home, login, code, now=now, confirmed=True)


def _spend(home: Home, login: str, code: str, *, now: datetime, confirmed: bool) -> bool:
    given = "".join(code.split())
    with home.engine.begin() as connection:
        row = connection.execute(
            sa.select(factors).where(factors.c.login == login, factors.c.confirmed == confirmed)
        ).one_or_none()
        if row is None or not (given.isascii() and given.isdecimal()):
            return False
        step = _step_of(_open(home, row.secret), given, now)
        if step is None or step <= row.last_step:
            return False
        spent = connection.execute(  # of two who send one code at once, one gets in
            sa.update(factors)
            .where(factors.c.login == login, factors.c.last_step < step)
            .values(last_step=step, confirmed=True)
        )
        return spent.rowcount == 1


def _step_of(secret: bytes, code: str, now: datetime) -> int | None:
    """Return the step of time whose code this is, of those around now; None: of none."""
    step = to_micros(now) // (_STEP_S * 1_000_000)
    made = {step + k: _totp(secret).generate((step + k) * _STEP_S).decode() for k in _AROUND}
    return next((s for s, c in made.items() if secrets.compare_digest(c, code)), None)


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, 6, SHA1(), _STEP_S)  # noqa: S303 - as an HMAC, which collisions leave whole


def _box(home: Home) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(bytes.fromhex(home.key("second factors"))))


def _open(home: Home, held: Any) -> bytes:
    try:
        return _box(home).decrypt(str(held).encode())
    except InvalidToken:
        raise InputError(
            "a second factor was kept under another key", where="secret.key",
            hint="give all consoles of a team the same secret.key",
        ) from None  # fmt: skip
