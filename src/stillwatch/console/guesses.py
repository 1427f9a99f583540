"""Passwords that are tried first: of lists of stolen ones, and what is put together like them.

OWASP ASVS 4.0.3, 2.1.7. Nothing leaves the process: the lists are those of the package zxcvbn
(30,000 common passwords, 64,000 words and names). A rule of composition it is not (2.1.9): how a
password is made does not matter, only how many are tried before it.
"""

from __future__ import annotations

import unicodedata
from threading import Lock
from typing import Any, Final

from stillwatch.errors import ConfigError

try:
    from zxcvbn import zxcvbn
except ImportError as error:  # pragma: no cover
    raise ConfigError("needs the package zxcvbn", where="console",
                      hint="pip install 'stillwatch[console]'") from error  # fmt: skip

__all__ = ["found_early"]

# zxcvbn's score from 10^8 guesses on: through the door, where ten in 15 minutes are answered, 285
# years; to whoever has the folder, each costs an Argon2id.
_ENOUGH: Final = 3
_LOOKED_AT: Final = 40  # letters; the work grows with the square of their number
_OURS: Final = ("stillwatch", "console")
_SAID: Final = {
    "passwords": "stolen or common passwords", "english_wikipedia": "common words",
    "us_tv_and_film": "common words", "surnames": "names", "female_names": "names",
    "male_names": "names", "user_inputs": "your own name or this program's",
    "spatial": "neighbours on the keyboard", "repeat": "repetitions",
    "sequence": "sequences such as abc or 123", "regex": "years", "date": "dates",
}  # fmt: skip
_ONE_AT_A_TIME: Final = Lock()  # zxcvbn writes a person's words into a table of the whole process


def found_early(secret: str, login: str) -> str | None:
    """Return why a password is among the first 10^8 that are tried; None: it is not.

    The words name kinds of parts, never a part. Of a long password its beginning and its end are
    looked at, and it is enough that one of them is hard to find.

    *Error*: guesses are estimated from the lists at hand; a stolen password that is in none of them
    and looks like nothing else is not known.
    *Source*: D. L. Wheeler, zxcvbn: Low-Budget Password Strength Estimation (USENIX Security 2016).

    >>> found_early("iloveyou12345", "ada l.")
    'it is made of stolen or common passwords'
    >>> found_early("four hens and a ladder", "ada l.") is None
    True
    """
    plain = unicodedata.normalize("NFKC", secret)
    told = None
    for part in dict.fromkeys((plain[:_LOOKED_AT], plain[-_LOOKED_AT:])):
        with _ONE_AT_A_TIME:
            found = zxcvbn(part, user_inputs=[*_OURS, login, *login.split()])
        if found["score"] >= _ENOUGH:
            return None
        told = told or _told(found["sequence"])
    return told


def _told(parts: list[dict[str, Any]]) -> str:
    kinds = (_SAID.get(p.get("dictionary_name") or p["pattern"]) for p in parts)
    known = list(dict.fromkeys(kind for kind in kinds if kind))
    return f"it is made of {' and '.join(known)}" if known else "it is short for what it is made of"
