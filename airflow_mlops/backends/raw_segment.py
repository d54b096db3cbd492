"""Raw segments of the inference log: the bytes of requests as they came, with what was made of them.

A segment is a sequence of frames: the lengths of header and body and the CRC-32 of both, a JSON header, the
body. The first frame says how the bodies of the others are read. A segment that ends in the middle of a
frame, as after a power cut, is read up to there.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from airflow_mlops.core.request_rows import Shape
from airflow_mlops.core.values import ColumnKind, Role, RolloutMode

FORMAT = 1
_LENGTHS = struct.Struct("<III")


class SegmentHead(msgspec.Struct, frozen=True):
    """How the bodies of a segment are read: the signature that they were checked against."""

    format: int
    model: str
    columns: dict[str, ColumnKind]
    key_column: str | None = None
    time_column: str | None = None


class RawCall(msgspec.Struct, array_like=True, gc=False):
    """What one version answered to (its part of) a request. ``numbers`` None means all rows of the body;
    ``scores`` is None where it raised."""

    version: str
    role: Role
    mode: RolloutMode
    weight: float
    rollout_id: str | None
    numbers: list[int] | None
    scores: list[float] | None
    error: str | None
    latency_seconds: float | None


class RawRequest(msgspec.Struct, array_like=True, gc=False):
    """A request and the calls that it led to. ``received_at`` is in microseconds since 1970."""

    request_id: str
    received_at: int
    shape: Shape
    key_base: str
    rows: int
    calls: list[RawCall]


_encode = msgspec.json.Encoder().encode
_read_request = msgspec.json.Decoder(RawRequest).decode


def first_frame(head: SegmentHead) -> bytes:
    return _frame(_encode(head), b"")


def request_frame(request: RawRequest, body: bytes) -> bytes:
    return _frame(_encode(request), body)


def _frame(header: bytes, body: bytes) -> bytes:
    check = zlib.crc32(body, zlib.crc32(header))
    return b"".join((_LENGTHS.pack(len(header), len(body), check), header, body))


class DamagedSegment(ValueError):
    """A file that is no segment, or one of a later version of this package."""


def read_segment(content: bytes) -> tuple[SegmentHead, Iterator[tuple[RawRequest, bytes]]]:
    """The head and then each whole frame. Raises ``DamagedSegment`` where no head can be read."""
    frames = _frames(content)
    try:
        header, _ = next(frames)
        head = msgspec.json.decode(header, type=SegmentHead)
    except (StopIteration, msgspec.MsgspecError) as error:
        raise DamagedSegment("it does not begin as a segment of the inference log does") from error
    if head.format != FORMAT:
        raise DamagedSegment(f"it is of format {head.format}, and this version reads {FORMAT}: upgrade first")
    return head, ((_read_request(header), body) for header, body in frames)


def _frames(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + _LENGTHS.size <= len(content):
        header_length, body_length, check = _LENGTHS.unpack_from(content, place)
        start = place + _LENGTHS.size
        middle, end = start + header_length, start + header_length + body_length
        header, body = content[start:middle], content[middle:end]
        if end > len(content) or zlib.crc32(body, zlib.crc32(header)) != check:
            return
        yield header, body
        place = end


def parsed(body: bytes, shape: Shape) -> Any:
    """A logged body as ``request_rows.rows_of`` takes it."""
    if shape == "csv":
        return body.decode("utf-8-sig")
    try:
        return msgspec.json.decode(body)
    except ValueError:
        # A byte-order mark, or MLflow's NaN for a missing number: checked when it was taken.
        import json

        return json.loads(body.decode("utf-8-sig"), parse_constant=lambda _: None)
