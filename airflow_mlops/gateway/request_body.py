"""A request's body, read whole and never beyond the limit."""

from __future__ import annotations

import asyncio

from starlette.requests import Request


class BodyTooLarge(Exception):
    """The request's body is over the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit} bytes; send fewer rows in one request.")


class BodyTooSlow(Exception):
    """The request's body did not come in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The body was not complete after {seconds:g} seconds.")


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """The whole body. Raises ``BodyTooLarge`` as soon as it is known to be: by its declared length, or,
    where that is missing or a lie, by what has come in. Raises ``BodyTooSlow`` after ``seconds``: a caller
    who stalls would hold the place of another, and the end of the process."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise BodyTooLarge(limit)
    try:
        async with asyncio.timeout(seconds):
            return await _whole(request, limit)
    except TimeoutError as error:
        raise BodyTooSlow(seconds) from error


async def _whole(request: Request, limit: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BodyTooLarge(limit)
        parts.append(part)
    return b"".join(parts)
