"""The bytes of a query's result, which a database gives once."""

from __future__ import annotations

import io

from stillwatch.errors import InputError

__all__ = ["ReadOnce"]


class ReadOnce(io.RawIOBase):
    """What both streams of a result are; who reads counts in ``_given`` and names ``_where``."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._given = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        """Say yes: what was read last is still in the buffer of whoever reads this."""
        return True

    def tell(self) -> int:
        return self._given

    def seek(self, offset: int, whence: int = 0) -> int:
        raise io.UnsupportedOperation("the result of a query is read once")

    def _broken(self) -> InputError:
        return InputError(
            "the connection to the database broke", where=self._where,
            hint="try again; nothing was left half-written",
        )  # fmt: skip
