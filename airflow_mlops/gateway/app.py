"""The whole of the server's routes: predictions, health, ready, metrics and the API's own description."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from airflow_mlops.gateway.admin import admin_app
from airflow_mlops.gateway.openapi import openapi
from airflow_mlops.gateway.predictions import PATHS, Predictions, Scope, Send
from airflow_mlops.gateway.process import Gateway
from airflow_mlops.gateway.request_body import Receive


class GatewayApp:
    """The ASGI application; the gateway starts and stops with it."""

    def __init__(self, gateway: Gateway) -> None:
        self._predictions = Predictions(gateway)
        self._other = other_routes(gateway)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in PATHS:
            await self._predictions(scope, receive, send)
        else:
            await self._other(scope, receive, send)


def other_routes(gateway: Gateway) -> Starlette:
    """All but the routes that predict, and the start and end of the gateway."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await gateway.start()
        yield
        await gateway.stop()

    public = PublicRoutes(gateway)
    return Starlette(
        routes=[
            Route("/health", public.health),
            Route("/ping", public.ready),
            Route("/ready", public.ready),
            Route("/version", public.version),
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

    async def health(self, _: Request) -> Response:
        """The process lives and its event loop turns."""
        return JSONResponse({"status": "ok", "model": self._gateway.settings.model})

    async def ready(self, _: Request) -> Response:
        """Ready once a champion is loaded; problems that do not stop it from answering are listed.
        MLflow's ``/ping`` asks the same."""
        gateway = self._gateway
        champion, ready = gateway.control.routing.champion, gateway.is_ready
        body = {
            "ready": ready,
            "model": gateway.settings.model,
            "champion": None if champion is None else champion.model.version,
            "problems": gateway.problems(),
        }
        if gateway.only is not None:
            body["refused"] = gateway.only.refusal is not None
        return JSONResponse(body, status_code=200 if ready else 503)

    async def version(self, _: Request) -> Response:
        """MLflow's version, which its own server answers here."""
        try:
            return PlainTextResponse(version("mlflow"))
        except PackageNotFoundError:
            return PlainTextResponse("MLflow is not installed beside this server.", status_code=404)

    async def metrics(self, _: Request) -> Response:
        return Response(self._gateway.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, _: Request) -> Response:
        settings = self._gateway.settings
        return JSONResponse(openapi(settings.model, self._gateway.signature(), max_rows=settings.max_rows))
