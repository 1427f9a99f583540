"""The connection: uvicorn's, with an end to waiting for a request's head."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["patient_protocol"]


class _Patient(HttpToolsProtocol):
    """Closes a connection whose head is not whole in time: slow clients must not use up all."""

    patience_s: ClassVar[float]
    _late: asyncio.TimerHandle | None = None
    _head_open = True  # a connection that says nothing has an open head too

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._late = self.loop.call_later(self.patience_s, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._head_open = True
        if self._late is None:
            self._late = self.loop.call_later(self.patience_s, self._give_up)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_open = False
        self._in_time()
        super().on_headers_complete()

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if self._head_open and not self.transport.is_closing():
            self.transport.close()


def patient_protocol(patience_s: float) -> type[HttpToolsProtocol]:
    """Return the protocol class that waits so long for a head."""
    return type("PatientHere", (_Patient,), {"patience_s": patience_s})
