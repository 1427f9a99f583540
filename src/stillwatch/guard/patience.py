"""Connections whose heads do not come in time are closed; uvicorn alone would keep them."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["patient_protocol"]


def patient_protocol(seconds: float) -> type[HttpToolsProtocol]:
    """Return uvicorn's protocol with so much patience for the head of a request.

    A head that comes in one piece, as nearly all do, costs no timer.
    """

    class Patient(HttpToolsProtocol):
        _head_open = True  # a connection that says nothing has an open head too
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._late = self.loop.call_later(seconds, self._give_up)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._head_open and self._late is None:
                self._late = self.loop.call_later(seconds, self._give_up)

        def on_message_begin(self) -> None:
            self._head_open = True
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._head_open = False
            if self._late is not None:
                self._late.cancel()
                self._late = None
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            if self._late is not None:
                self._late.cancel()
            super().connection_lost(exc)

        def _give_up(self) -> None:
            if self._head_open and not self.transport.is_closing():
                self.transport.close()

    return Patient
