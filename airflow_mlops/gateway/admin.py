"""The admin routes: traffic changes, observations, smoke tests. All need the token where one is set."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import Observation, Traffic
from airflow_mlops.exceptions import (
    BackendUnavailable,
    MlopsError,
    ModelRefused,
    RolloutRefused,
    TrackingRefused,
)
from airflow_mlops.gateway.bodies import AdminBody, Part, Promotion, RollBack, Smoke, TrafficChange
from airflow_mlops.gateway.process import Gateway
from airflow_mlops.gateway.request_body import BodyTooLarge, BodyTooSlow, CallerHungUp, read_body
from airflow_mlops.gateway.rows import Signature, Source
from airflow_mlops.gateway.validation import InvalidRequest, check_rows, parse_body

_Kind = TypeVar("_Kind", bound=AdminBody)
_Handler = Callable[[Request], Awaitable[Any]]
_CODES: tuple[tuple[type[MlopsError], int], ...] = (
    (RolloutRefused, 409),
    (ModelRefused, 422),
    (TrackingRefused, 422),
    (BackendUnavailable, 503),
)
# A browser sends Origin with what any page makes it send to this machine; programs send none.
_NO_PAGES = "Without a token a web page may not use the admin routes: give the gateway --token."


def admin_app(gateway: Gateway) -> Starlette:
    """The routes below ``/admin``, each behind the token and with errors as answers. A server of one version
    has no traffic to move: a router in front tells it what it is, and takes its counts."""
    routes = AdminRoutes(gateway)
    guarded = _Guard(gateway.settings.token)
    if gateway.settings.version is not None:
        return Starlette(
            routes=[
                Route("/smoke", guarded(routes.smoke), methods=["POST"]),
                Route("/signature", guarded(routes.signature), methods=["GET"]),
                Route("/part", guarded(routes.take_part), methods=["PUT"]),
                Route("/counts", guarded(routes.take_counts), methods=["POST"]),
                Route("/flush", guarded(routes.flush), methods=["POST"]),
            ]
        )
    return Starlette(
        routes=[
            Route("/traffic", guarded(routes.traffic), methods=["GET"]),
            Route("/traffic", guarded(routes.set_traffic), methods=["PUT"]),
            Route("/observations/{rollout_id:path}", guarded(routes.observations), methods=["GET"]),
            Route("/smoke", guarded(routes.smoke), methods=["POST"]),
            Route("/promote", guarded(routes.promote), methods=["POST"]),
            Route("/rollback", guarded(routes.roll_back), methods=["POST"]),
            Route("/flush", guarded(routes.flush), methods=["POST"]),
            Route("/refresh", guarded(routes.refresh), methods=["POST"]),
        ]
    )


class _Guard:
    """Turns a handler into a route: token first, then errors into codes and JSON."""

    def __init__(self, token: str | None) -> None:
        self._expected = None if token is None else f"Bearer {token}".encode()

    def __call__(self, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
        async def route(request: Request) -> Response:
            if self._expected is None and "origin" in request.headers:
                return JSONResponse({"detail": _NO_PAGES}, status_code=403)
            if not self._may(request):
                return JSONResponse(
                    {"detail": "The token is missing or wrong; send it as 'Authorization: Bearer <token>'."},
                    status_code=401,
                    headers={"WWW-Authenticate": "Bearer"},
                )
            try:
                return JSONResponse(await handler(request))
            except InvalidRequest as error:
                return JSONResponse({"detail": error.detail()}, status_code=422)
            except BodyTooLarge as error:
                return JSONResponse({"detail": str(error)}, status_code=413)
            except BodyTooSlow as error:
                return JSONResponse({"detail": str(error)}, 408, {"Connection": "close"})
            except CallerHungUp as error:
                return JSONResponse({"detail": str(error)}, 400)
            except MlopsError as error:
                code = next((code for kind, code in _CODES if isinstance(error, kind)), 500)
                return JSONResponse({"detail": str(error)}, status_code=code)

        return route

    def _may(self, request: Request) -> bool:
        if self._expected is None:
            return True
        given = request.headers.get("authorization", "").encode()
        # In constant time, so that the answer's delay does not spell the token out.
        return hmac.compare_digest(given, self._expected)


class AdminRoutes:
    """One method per route; each returns plain JSON or raises."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._control = gateway.control

    async def traffic(self, _: Request) -> Any:
        return self._traffic(self._control.traffic())

    async def set_traffic(self, request: Request) -> Any:
        change = await self._body(request, TrafficChange)
        return self._traffic(
            await self._control.set_traffic(
                change.rollout_id, change.version, mode=change.mode, weight=change.weight
            )
        )

    async def observations(self, request: Request) -> Any:
        # What the shadow still works on belongs to the picture; a second is enough for all but a flood.
        await self._gateway.shadow.settle(1.0)
        await self._gateway.gather()
        observation = self._control.observation(request.path_params["rollout_id"])
        return TypeAdapter(Observation).dump_python(observation, mode="json")

    async def smoke(self, request: Request) -> Any:
        body = await self._body(request, Smoke)
        routing = self._control.routing
        candidate = await self._gateway.models.load(body.version, routing.champion, routing.challenger)
        if not body.rows:  # that it loads is all that is asked; many models refuse to predict nothing
            return {"predictions": []}
        settings = self._gateway.settings
        signature = Signature(candidate.model.columns, settings.key_column, settings.time_column)
        rows = check_rows(body.rows, Source(b"", "predict", signature, "smoke"))
        loop = asyncio.get_running_loop()
        try:
            predicted = await loop.run_in_executor(self._gateway.pool, candidate.model.predict, [rows])
        except Exception as error:
            raise ModelRefused(f"Version {body.version} failed on the smoke rows: {raised(error)}") from error
        return {"predictions": predicted.answers}

    async def promote(self, request: Request) -> Any:
        body = await self._body(request, Promotion)
        return self._traffic(await self._control.promote(body.rollout_id, body.version))

    async def roll_back(self, request: Request) -> Any:
        body = await self._body(request, RollBack)
        return self._traffic(await self._control.roll_back(body.rollout_id))

    async def flush(self, _: Request) -> Any:
        await self._gateway.shadow.settle(1.0)
        return {"rows_written": await asyncio.to_thread(self._gateway.flush)}

    async def refresh(self, _: Request) -> Any:
        return self._traffic(await self._gateway.refresh())

    async def signature(self, _: Request) -> Any:
        champion = self._control.routing.champion
        if champion is None:
            raise BackendUnavailable("The version is being loaded.")
        model = champion.model
        return {"version": model.version, "columns": dict(model.columns), "task": model.task}

    async def take_part(self, request: Request) -> Any:
        self._control.take_part(await self._body(request, Part))
        return {}

    async def take_counts(self, _: Request) -> Any:
        counted = self._control.take_counts()
        return {"counted": None if counted is None else counted.to_json()}

    def _traffic(self, traffic: Traffic) -> Any:
        answer = TypeAdapter(Traffic).dump_python(traffic, mode="json")
        gateway = self._gateway
        kept = {"kept_warm": gateway.models.previous}
        return {**answer, **kept, "model": gateway.settings.model, "problems": gateway.problems()}

    async def _body(self, request: Request, kind: type[_Kind]) -> _Kind:
        settings = self._gateway.settings
        served = settings.model
        declared = request.headers.get("content-length", "")
        whole = await read_body(request.receive, declared, settings.max_body_bytes, settings.body_seconds)
        body = _parsed(whole, kind)
        if body.model not in (None, served):
            raise ModelRefused(
                f"This gateway serves {served}, not {body.model}; each model needs a gateway of its own."
            )
        return body


def _parsed(body: bytes, kind: type[_Kind]) -> _Kind:
    try:
        return kind.model_validate(parse_body(body))
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise ModelRefused(f"The request's body is wrong: {details}") from error
