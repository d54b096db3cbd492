"""The public routes: predict, health, ready, metrics and the API's own description."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from airflow_mlops.gateway.admin import admin_app
from airflow_mlops.gateway.answering import ChampionFailed
from airflow_mlops.gateway.answering import Request as RowsRequest
from airflow_mlops.gateway.control import utc_now
from airflow_mlops.gateway.openapi import openapi
from airflow_mlops.gateway.process import Gateway
from airflow_mlops.gateway.request_body import BodyTooLarge, BodyTooSlow, read_body
from airflow_mlops.gateway.rows import Rows
from airflow_mlops.gateway.validation import InvalidRequest, Signature, check_rows, parse_body, rows_of

# Below this a body is parsed on the event loop: a thread's hand-over would cost more than the parsing.
_INLINE_BYTES = 32 * 1024
_LONGEST_REQUEST_ID = 128


def create_app(gateway: Gateway) -> Starlette:
    """The ASGI application; the gateway starts and stops with it."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await gateway.start()
        yield
        await gateway.stop()

    public = PublicRoutes(gateway)
    return Starlette(
        routes=[
            Route("/predict", public.predict, methods=["POST"]),
            Route("/health", public.health),
            Route("/ready", public.ready),
            Route("/metrics", public.metrics),
            Route("/openapi.json", public.openapi),
            Mount("/admin", admin_app(gateway)),
        ],
        lifespan=lifespan,
    )


class PublicRoutes:
    """Routes that anybody who reaches the port may call."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._in_flight = 0

    async def predict(self, request: Request) -> Response:
        """One request, whatever comes of it: answered, counted by code, its id in the answer's header."""
        started = time.perf_counter()
        request_id = _request_id(request)
        response = await self._predict(request, request_id)
        response.headers["X-Request-Id"] = request_id
        self._gateway.metrics.request(response.status_code, time.perf_counter() - started)
        return response

    async def health(self, _: Request) -> Response:
        """The process lives and its event loop turns."""
        return JSONResponse({"status": "ok", "model": self._gateway.settings.model})

    async def ready(self, _: Request) -> Response:
        """Ready once a champion is loaded; problems that do not stop it from answering are listed."""
        gateway = self._gateway
        champion = gateway.control.routing.champion
        body = {
            "ready": champion is not None,
            "model": gateway.settings.model,
            "champion": None if champion is None else champion.model.version,
            "problems": gateway.problems(),
        }
        return JSONResponse(body, status_code=200 if champion is not None else 503)

    async def metrics(self, _: Request) -> Response:
        return Response(self._gateway.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, _: Request) -> Response:
        settings = self._gateway.settings
        return JSONResponse(openapi(settings.model, self._gateway.signature(), max_rows=settings.max_rows))

    async def _predict(self, request: Request, request_id: str) -> Response:
        if self._in_flight >= self._gateway.settings.max_in_flight:
            return _refusal(503, "Too many requests are under way; try again.", {"Retry-After": "1"})
        self._under_way(+1)
        try:
            return await self._answer(request, request_id)
        except InvalidRequest as error:
            return JSONResponse({"detail": error.detail()}, status_code=422)
        except BodyTooLarge as error:
            return _refusal(413, str(error))
        except BodyTooSlow as error:
            return _refusal(408, str(error), {"Connection": "close"})
        except ChampionFailed as error:
            return _refusal(500, str(error))
        except ClientDisconnect:
            return _refusal(400, "The caller hung up before the body was complete.")
        finally:
            self._under_way(-1)

    def _under_way(self, change: int) -> None:
        self._in_flight += change
        self._gateway.metrics.in_flight(self._in_flight)

    async def _answer(self, request: Request, request_id: str) -> Response:
        gateway = self._gateway
        received_at = utc_now()
        body = await read_body(request, gateway.settings.max_body_bytes, gateway.settings.body_seconds)
        # The table and the signature are taken together: rows are checked for the champion that answers.
        routing, signature = gateway.control.routing, gateway.signature()
        if signature is None:
            reasons = "; ".join(gateway.problems().values()) or "it is being loaded"
            message = f"No champion of {gateway.settings.model} is loaded: {reasons}"
            return _refusal(503, message, {"Retry-After": "1"})
        rows = await self._rows(body, signature)
        answer = await gateway.answering.answer(RowsRequest(request_id, received_at, rows, routing))
        content = {
            "request_id": request_id,
            "model": gateway.settings.model,
            "predictions": answer.predictions,
        }
        background = None if answer.shadow is None else BackgroundTask(gateway.shadow.add, answer.shadow)
        return Response(_json(content), media_type="application/json", background=background)

    async def _rows(self, body: bytes, signature: Signature) -> Rows:
        max_rows = self._gateway.settings.max_rows

        def read() -> Rows:
            return check_rows(rows_of(parse_body(body), max_rows=max_rows), signature)

        if len(body) <= _INLINE_BYTES:
            return read()
        return await asyncio.get_running_loop().run_in_executor(self._gateway.pool, read)


def _request_id(request: Request) -> str:
    given = request.headers.get("x-request-id", "").strip()
    if given and len(given) <= _LONGEST_REQUEST_ID and given.isascii() and given.isprintable():
        return given
    return uuid.uuid4().hex


def _refusal(code: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"detail": detail}, status_code=code, headers=headers)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
