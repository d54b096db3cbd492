"""Bounds on what a caller may hold open: connections, the time for a request's head, and its size."""

from __future__ import annotations

import asyncio
from typing import Any

_SAID = b'{"detail": "Too many connections are open; try again."}'
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_SAID), _SAID)
)
LONGEST_HEAD_BYTES = 64 * 1024


class OneWrite:
    """A transport that sends what is written in one step of the event loop together.

    uvicorn writes an answer's head and body one by one: two system calls, and a caller who is woken twice.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._held:
            held, self._held = self._held, []
            self._transport.write(b"".join(held))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def bounded_protocol(protocol: type[Any], *, max_connections: int, head_seconds: float) -> type[Any]:
    """uvicorn's HTTP protocol with these bounds.

    Its own ``limit_concurrency`` refuses requests on the connections that are open already, so that idle ones
    would shut everybody out; here the new connection is refused. Nor has it a time for a request's head.
    """

    class BoundedProtocol(protocol):  # type: ignore[misc]
        _head_timer: asyncio.TimerHandle | None = None
        _refused = False
        _head_bytes = 0

        def connection_made(self, transport: asyncio.Transport) -> None:
            if len(self.connections) >= max_connections:
                self._refused = True
                transport.write(_BUSY)
                transport.close()
                return
            super().connection_made(OneWrite(transport, self.loop))
            self._start_timer()

        def connection_lost(self, error: Exception | None) -> None:
            self._stop_timer()
            if not self._refused:
                super().connection_lost(error)

        def data_received(self, data: bytes) -> None:
            if not self._refused:
                super().data_received(data)

        def on_headers_complete(self) -> None:
            self._stop_timer()
            super().on_headers_complete()

        def on_message_begin(self) -> None:
            self._head_bytes = 0
            self._start_timer()
            super().on_message_begin()

        def on_header(self, name: bytes, value: bytes) -> None:
            self._head_bytes += len(name) + len(value)
            if self._head_bytes > LONGEST_HEAD_BYTES:
                self.transport.abort()
                return
            super().on_header(name, value)

        def _head_is_late(self) -> None:
            self.transport.abort()

        def _start_timer(self) -> None:
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(head_seconds, self._head_is_late)

        def _stop_timer(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

    return BoundedProtocol
