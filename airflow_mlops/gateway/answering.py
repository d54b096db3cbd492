"""One request from its checked rows to its answers: split, predict, count, log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_mlops.core.values import Role
from airflow_mlops.gateway.batching import Batcher
from airflow_mlops.gateway.inference_log import InferenceLogWriter, LoggedCall
from airflow_mlops.gateway.metrics import GatewayMetrics
from airflow_mlops.gateway.models import Predicted
from airflow_mlops.gateway.routing import RoutingTable
from airflow_mlops.gateway.rows import Rows
from airflow_mlops.gateway.shadow import ShadowJob
from airflow_mlops.gateway.split import split


class ChampionFailed(Exception):
    """The champion raised, so the request has no answer."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the caller gets, and the job for the shadow if there is one."""

    predictions: list[dict[str, Any]]
    shadow: ShadowJob | None


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A request whose rows are checked, with the routing table that it keeps to its end."""

    id: str
    received_at: datetime
    rows: Rows
    routing: RoutingTable


class Answering:
    """Predicts requests. Each version predicts its rows in one call.

    Rows that the challenger raises on, or does not answer in time, are answered by the champion. They are
    logged twice, as the challenger's error and the champion's answer, and counted in the stage as the
    challenger's alone, so that the arms still add up to the split.
    """

    def __init__(
        self, model: str, log: InferenceLogWriter, metrics: GatewayMetrics, *, challenger_seconds: float
    ) -> None:
        self._challenger_seconds = challenger_seconds
        self._model = model
        self._log = log
        self._metrics = metrics

    async def answer(self, request: Request) -> Answer:
        """Every row's prediction, in order. Raises ``ChampionFailed``."""
        table, rows = request.routing, request.rows
        if table.champion is None:
            raise AssertionError("requests are refused before this while there is no champion")
        if table.mode == "canary" and table.challenger is not None and table.rollout_id is not None:
            return await self._canary(request, table.champion, table.challenger, table.rollout_id)
        predicted = await self._champion(request, table.champion, rows, counted=True)
        version = table.champion.model.version
        predictions = [
            {"key": key, "prediction": prediction, "version": version, "role": table.role}
            for key, prediction in zip(rows.keys, predicted.answers, strict=True)
        ]
        shadow = None
        if table.mode == "shadow" and table.challenger is not None:
            scores = list(predicted.scores)
            shadow = ShadowJob(request.id, request.received_at, rows, scores, table)
        return Answer(predictions, shadow)

    async def _canary(
        self, request: Request, champion: Batcher, challenger: Batcher, rollout_id: str
    ) -> Answer:
        rows = request.rows
        ours, theirs = split(rows.keys, rollout_id=rollout_id, weight=request.routing.weight)
        parts = await asyncio.gather(
            self._part(request, champion, ours, "champion"),
            self._part(request, challenger, theirs, "challenger"),
            return_exceptions=True,
        )
        predictions: dict[int, dict[str, Any]] = {}
        for part in parts:
            if isinstance(part, BaseException):
                raise part
            predictions |= part
        return Answer([predictions[number] for number in range(len(rows))], None)

    async def _part(
        self, request: Request, model: Batcher, numbers: Sequence[int], role: Role
    ) -> dict[int, dict[str, Any]]:
        if not numbers:
            return {}
        rows = request.rows.take(numbers)
        if role == "challenger":
            predicted = await self._challenger(request, model, rows)
            if predicted is not None:
                return _answers(rows, numbers, predicted, model.model.version, "challenger")
            champion = request.routing.champion
            if champion is None:
                raise AssertionError("a challenger serves only beside a champion")
            model = champion
            predicted = await self._champion(request, champion, rows, counted=False)
        else:
            predicted = await self._champion(request, model, rows, counted=True)
        return _answers(rows, numbers, predicted, model.model.version, "champion")

    async def _champion(self, request: Request, model: Batcher, rows: Rows, *, counted: bool) -> Predicted:
        version, stage = model.model.version, request.routing.stage if counted else None
        role = request.routing.role
        try:
            predicted = await model.predict(rows)
        except Exception as error:
            if stage is not None:
                stage.champion.failed(len(rows))
            self._metrics.failed(version, role, len(rows))
            self._keep(request, version, role, rows, error)
            raise ChampionFailed(
                f"{self._model} version {version} failed on this request: {type(error).__name__}: {error}"
            ) from error
        if stage is not None:
            stage.champion.answered(predicted.scores, predicted.seconds)
        self._metrics.answered(version, role, len(rows), predicted.seconds)
        self._keep(request, version, role, rows, predicted)
        return predicted

    async def _challenger(self, request: Request, model: Batcher, rows: Rows) -> Predicted | None:
        version, stage = model.model.version, request.routing.stage
        try:
            predicted = await self._in_time(model, rows)
        except Exception as error:  # noqa: BLE001 - a challenger may raise anything; the champion answers
            if stage is not None:
                stage.challenger.failed(len(rows))
            self._metrics.failed(version, "challenger", len(rows))
            self._keep(request, version, "challenger", rows, error)
            return None
        if stage is not None:
            stage.challenger.answered(predicted.scores, predicted.seconds)
        self._metrics.answered(version, "challenger", len(rows), predicted.seconds)
        self._keep(request, version, "challenger", rows, predicted)
        return predicted

    async def _in_time(self, model: Batcher, rows: Rows) -> Predicted:
        try:
            async with asyncio.timeout(self._challenger_seconds):
                return await model.predict(rows)
        except TimeoutError as error:
            raise TimeoutError(f"no answer in {self._challenger_seconds:g} seconds") from error

    def _keep(
        self, request: Request, version: str, role: Role, rows: Rows, outcome: Predicted | Exception
    ) -> None:
        answered = outcome if isinstance(outcome, Predicted) else None
        self._log.add(
            LoggedCall(
                request_id=request.id,
                received_at=request.received_at,
                version=version,
                role=role,
                mode=request.routing.mode,
                weight=request.routing.weight,
                rollout_id=request.routing.rollout_id,
                rows=rows,
                scores=None if answered is None else answered.scores,
                error=f"{type(outcome).__name__}: {outcome}" if answered is None else None,
                latency_seconds=None if answered is None else answered.seconds,
            )
        )


def _answers(
    rows: Rows, numbers: Sequence[int], predicted: Predicted, version: str, role: Role
) -> dict[int, dict[str, Any]]:
    return {
        number: {"key": key, "prediction": prediction, "version": version, "role": role}
        for number, key, prediction in zip(numbers, rows.keys, predicted.answers, strict=True)
    }
