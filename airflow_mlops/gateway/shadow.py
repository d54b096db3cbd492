"""The challenger answers a copy of each request after the caller has its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from airflow_mlops.gateway.inference_log import InferenceLogWriter, LoggedCall
from airflow_mlops.gateway.metrics import GatewayMetrics
from airflow_mlops.gateway.routing import RoutingTable
from airflow_mlops.gateway.rows import Rows

_MOST_JOBS = 256


@dataclass(frozen=True, slots=True, eq=False)
class ShadowJob:
    """A request that the champion answered, for the challenger to answer too."""

    request_id: str
    received_at: datetime
    rows: Rows
    champion_scores: list[float]
    routing: RoutingTable


class Shadow:
    """Works off jobs in batches. More than ``buffer_rows`` waiting rows are dropped and counted: a slow
    challenger costs evidence, never memory or the champion's time."""

    def __init__(self, log: InferenceLogWriter, metrics: GatewayMetrics, *, buffer_rows: int) -> None:
        self._log = log
        self._metrics = metrics
        self._buffer_rows = buffer_rows
        self._waiting_rows = 0
        self._jobs: asyncio.Queue[ShadowJob] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._worker = asyncio.create_task(self._work())

    async def add(self, job: ShadowJob) -> None:
        """Keep a job for later; returns at once."""
        if self._waiting_rows and self._waiting_rows + len(job.rows) > self._buffer_rows:
            self._metrics.shadow_dropped(len(job.rows))
            return
        self._waiting_rows += len(job.rows)
        self._jobs.put_nowait(job)

    async def settle(self, seconds: float) -> bool:
        """Wait until every job is done, but no longer than this; whether all are."""
        try:
            await asyncio.wait_for(self._jobs.join(), seconds)
        except TimeoutError:
            return False
        return True

    async def stop(self, seconds: float) -> None:
        """Work on for a while; what is left then is dropped and counted."""
        if not await self.settle(seconds):
            self._metrics.shadow_dropped(self._waiting_rows)
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            jobs = [await self._jobs.get()]
            while not self._jobs.empty() and len(jobs) < _MOST_JOBS:
                jobs.append(self._jobs.get_nowait())
            try:
                # Asked at once, they are predicted in one call: see Batcher.
                await asyncio.gather(*(self._answer(job, alone=len(jobs) == 1) for job in jobs))
            finally:
                for job in jobs:
                    self._waiting_rows -= len(job.rows)
                    self._jobs.task_done()

    async def _answer(self, job: ShadowJob, *, alone: bool) -> None:
        """A call for many requests takes longer than any caller would wait for one, so only of a request
        that was alone does the time count."""
        challenger, stage = job.routing.challenger, job.routing.stage
        if challenger is None or stage is None:
            return
        version = challenger.model.version
        log = _logged(job, version)
        try:
            predicted = await challenger.predict(job.rows)
        except Exception as error:  # noqa: BLE001 - a challenger may raise anything; it is counted and logged
            stage.challenger.failed(len(job.rows))
            self._metrics.failed(version, "shadow", len(job.rows))
            self._log.add(log(None, f"{type(error).__name__}: {error}", None))
            return
        stage.challenger.answered(predicted.scores, predicted.seconds if alone else None)
        stage.compare(job.champion_scores, predicted.scores)
        self._metrics.answered(version, "shadow", len(job.rows), predicted.seconds)
        self._log.add(log(list(predicted.scores), None, predicted.seconds))


def _logged(
    job: ShadowJob, version: str
) -> Callable[[list[float] | None, str | None, float | None], LoggedCall]:
    def log(scores: list[float] | None, error: str | None, seconds: float | None) -> LoggedCall:
        table = job.routing
        return LoggedCall(
            job.request_id, job.received_at, version, "shadow", table.mode, table.weight, table.rollout_id,
            job.rows, scores, error, seconds,
        )  # fmt: skip

    return log
