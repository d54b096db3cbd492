"""A request's body, read whole and never beyond the limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class BodyTooLarge(Exception):
    """The request's body is over the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit} bytes; send fewer rows in one request.")


class BodyTooSlow(Exception):
    """The request's body did not come in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The body was not complete after {seconds:g} seconds.")


class CallerHungUp(Exception):
    """There is nobody to answer."""

    def __init__(self) -> None:
        super().__init__("The caller hung up before the body was complete.")


async def read_body(receive: Receive, declared: str, limit: int, seconds: float) -> bytes:
    """The whole body. Raises ``BodyTooLarge`` as soon as it is known to be: by its declared length, or,
    where that is missing or a lie, by what has come in. Raises ``BodyTooSlow`` after ``seconds``: a caller
    who stalls would hold the place of another, and the end of the process."""
    if declared.isdecimal() and int(declared) > limit:
        raise BodyTooLarge(limit)
    try:
        async with asyncio.timeout(seconds):
            return await _whole(receive, limit)
    except TimeoutError as error:
        raise BodyTooSlow(seconds) from error


async def _whole(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerHungUp
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise BodyTooLarge(limit)
        if not message.get("more_body", False):
            return b"".join((*parts, part)) if parts else bytes(part)
        parts.append(part)
