"""The two routes that predict: ours, and the one that MLflow's scoring server has.

Plain ASGI, below every framework: on a small model a framework costs as much as the model.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from airflow_mlops.core.request_rows import Shape
from airflow_mlops.gateway.answering import Answer, ChampionFailed
from airflow_mlops.gateway.answering import Request as RowsRequest
from airflow_mlops.gateway.control import utc_now
from airflow_mlops.gateway.decoding import PredictDecoder
from airflow_mlops.gateway.process import Gateway
from airflow_mlops.gateway.request_body import BodyTooLarge, BodyTooSlow, CallerHungUp, Receive, read_body
from airflow_mlops.gateway.rows import Rows
from airflow_mlops.gateway.shadow import ShadowJob
from airflow_mlops.gateway.validation import InvalidRequest, checked_rows

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATHS: Mapping[str, Shape] = {"/predict": "predict", "/invocations": "invocations"}
# Below this a body is parsed on the event loop: a thread's hand-over would cost more than the parsing.
_INLINE_BYTES = 128 * 1024
_LONGEST_REQUEST_ID = 128
_JSON = b"application/json"
# Asks the router in front of a challenger's own process to have the champion answer.
FALL_BACK = (b"x-mlops-fall-back", b"1")
_AGAIN = (b"retry-after", b"1")
_encode = msgspec.json.Encoder().encode


class Refused(Exception):
    """A request that gets no predictions."""

    def __init__(self, code: int, detail: Any, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.headers = headers


class Predictions:
    """One request, whatever comes of it: answered, counted by code, its id in the answer's header."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._under_way = 0
        self._bytes_under_way = 0
        gateway.metrics.watch_in_flight(lambda: self._under_way)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = dict(scope["headers"])
        own_id = os.urandom(16).hex()
        request_id = _request_id(headers.get(b"x-request-id", b"")) or own_id
        shape = PATHS[scope["path"]]
        shadow: ShadowJob | None = None
        more: tuple[tuple[bytes, bytes], ...] = ()
        try:
            if scope["method"] != "POST":
                raise Refused(405, f"{scope['path']} takes POST only.", (b"allow", b"POST"))
            answer = await self._limited(receive, headers, shape, request_id, own_id)
            code, body, shadow = 200, self._body(shape, request_id, answer), answer.shadow
        except Refused as refused:
            code, more = refused.code, refused.headers
            routing = self._gateway.control.routing
            # One that is still loading, as after a crash, does not know yet that it is a challenger.
            if code >= 500 and (routing.role == "challenger" or routing.champion is None):
                more = (*more, FALL_BACK)
            body = _refusal(shape, code, refused.detail)
        head = [
            (b"content-type", _JSON),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            *more,
        ]
        await send({"type": "http.response.start", "status": code, "headers": head})
        await send({"type": "http.response.body", "body": body})
        self._gateway.metrics.request(code, time.perf_counter() - started)
        if shadow is not None:
            await self._gateway.shadow.add(shadow)

    async def _limited(
        self, receive: Receive, headers: Mapping[bytes, bytes], shape: Shape, request_id: str, key_base: str
    ) -> Answer:
        if self._under_way >= self._gateway.settings.max_in_flight:
            raise Refused(503, "Too many requests are under way; try again.", _AGAIN)
        self._under_way += 1
        held = 0
        try:
            body = await self._read(receive, headers)
            held = len(body)
            self._bytes_under_way += held
            self._check_room(held)
            return await self._answer(body, _shape(shape, headers), request_id, key_base)
        except InvalidRequest as error:
            # MLflow's server answers 400 to what ours does not understand.
            raise Refused(422 if shape == "predict" else 400, error.detail()) from error
        except ChampionFailed as error:
            raise Refused(500, str(error)) from error
        finally:
            self._under_way -= 1
            self._bytes_under_way -= held

    async def _read(self, receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
        settings = self._gateway.settings
        declared = headers.get(b"content-length", b"").decode("latin-1")
        try:
            return await read_body(receive, declared, settings.max_body_bytes, settings.body_seconds)
        except BodyTooLarge as error:
            raise Refused(413, str(error)) from error
        except BodyTooSlow as error:
            raise Refused(408, str(error), (b"connection", b"close")) from error
        except CallerHungUp as error:
            raise Refused(400, str(error)) from error

    def _check_room(self, size: int) -> None:
        """Small requests are answered to the end; large ones are what memory runs out by."""
        if size <= _INLINE_BYTES:
            return
        if self._bytes_under_way > max(size, self._gateway.settings.max_in_flight_bytes):
            raise Refused(503, "Requests under way hold as much memory as they may; try again.", _AGAIN)
        if (problem := self._gateway.memory.problem) is not None:
            raise Refused(503, f"{problem} Send smaller requests, or try again.", _AGAIN)

    async def _answer(self, body: bytes, shape: Shape, request_id: str, key_base: str) -> Answer:
        gateway = self._gateway
        received_at = utc_now()
        # The table and the decoder are taken together: rows are checked for the champion that answers.
        routing, decoder = gateway.control.routing, gateway.decoder()
        if decoder is None:
            reasons = "; ".join(gateway.problems().values()) or "it is being loaded"
            raise Refused(503, f"No champion of {gateway.settings.model} is loaded: {reasons}", _AGAIN)
        rows = await self._rows(body, shape, decoder, key_base)
        return await gateway.answering.answer(RowsRequest(request_id, received_at, rows, routing))

    async def _rows(self, body: bytes, shape: Shape, decoder: PredictDecoder, key_base: str) -> Rows:
        def read() -> Rows:
            if shape == "predict":
                return decoder.rows(body, key_base)
            max_rows = self._gateway.settings.max_rows
            return checked_rows(body, shape, decoder.signature, max_rows=max_rows, key_base=key_base)

        if len(body) <= _INLINE_BYTES:
            return read()
        return await asyncio.get_running_loop().run_in_executor(self._gateway.pool, read)

    def _body(self, shape: Shape, request_id: str, answer: Answer) -> bytes:
        if shape == "invocations":
            return _encode({"predictions": [one["prediction"] for one in answer.predictions]})
        return _encode(
            {
                "request_id": request_id,
                "model": self._gateway.settings.model,
                "predictions": answer.predictions,
            }
        )


def _shape(shape: Shape, headers: Mapping[bytes, bytes]) -> Shape:
    """``/invocations`` takes JSON and CSV. Raises ``Refused`` for another type, as MLflow does."""
    if shape == "predict":
        return shape
    kind, *parameters = headers.get(b"content-type", _JSON).decode("latin-1").lower().split(";")
    charset = next((one.partition("=")[2] for one in parameters if "charset=" in one), "utf-8")
    if charset.strip(' "') != "utf-8":
        raise Refused(415, f"The body's charset is {charset}; send UTF-8.")
    match kind.strip():
        case "application/json":
            return "invocations"
        case "text/csv":
            return "csv"
        case other:
            raise Refused(415, f"/invocations takes application/json and text/csv, not {other}.")


def _refusal(shape: Shape, code: int, detail: Any) -> bytes:
    if shape == "predict":
        return _encode({"detail": detail})
    name = "BAD_REQUEST" if code < 500 else "TEMPORARILY_UNAVAILABLE" if code == 503 else "INTERNAL_ERROR"
    message = detail if isinstance(detail, str) else "; ".join(map(_sentence, detail))
    return _encode({"error_code": name, "message": message, "detail": detail})


def _sentence(problem: Mapping[str, Any]) -> str:
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def _request_id(given: bytes) -> str | None:
    text = given.decode("latin-1").strip()
    return (
        text if text and len(text) <= _LONGEST_REQUEST_ID and text.isascii() and text.isprintable() else None
    )
