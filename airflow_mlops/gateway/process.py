"""The parts of a gateway put together, its background work, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import Traffic
from airflow_mlops.exceptions import MlopsError
from airflow_mlops.gateway.answering import Answering
from airflow_mlops.gateway.batching import Batcher
from airflow_mlops.gateway.claim import StoreClaim
from airflow_mlops.gateway.compaction import Compaction
from airflow_mlops.gateway.control import TrafficControl
from airflow_mlops.gateway.decoding import PredictDecoder
from airflow_mlops.gateway.inference_log import InferenceLogWriter
from airflow_mlops.gateway.loading import Models
from airflow_mlops.gateway.memory import MemoryGuard, resident_bytes
from airflow_mlops.gateway.metrics import GatewayMetrics
from airflow_mlops.gateway.models import ModelLoader
from airflow_mlops.gateway.one_version import NoFiles, OneVersion
from airflow_mlops.gateway.rows import Signature
from airflow_mlops.gateway.settings import Settings
from airflow_mlops.gateway.shadow import Shadow
from airflow_mlops.gateway.state import TrafficFiles

if TYPE_CHECKING:
    from airflow_mlops.gateway.isolated.isolation import Isolation

_LONGEST_PAUSE_SECONDS = 60.0
_DRAIN_SECONDS = 10.0


class Gateway:
    """Everything that one process holds. ``start`` and ``stop`` run on the event loop that serves.

    It serves at once and says so only when a champion is loaded: what served before a restart, else the
    registry's ``champion`` alias, looked at every ``poll_seconds``; or the one version of the settings. A
    version that does not load is tried again after ever longer pauses, at most a minute.
    """

    def __init__(self, settings: Settings, loader: ModelLoader, isolation: Isolation | None = None) -> None:
        self.settings = settings
        self._isolation = isolation
        self._claim = StoreClaim(settings.store, settings.model)
        if settings.version is None:
            self._claim.take()
        self.metrics = GatewayMetrics(settings.model)
        self.pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="predict")
        self._loading_pool = ThreadPoolExecutor(2, thread_name_prefix="load")
        self.memory = MemoryGuard(settings.max_memory_bytes)
        self.models = Models(
            loader, self.metrics, self.memory, loading=self._loading_pool, predicting=self.pool
        )
        files = NoFiles() if settings.version else TrafficFiles(settings.store, settings.model)
        self.control = TrafficControl(settings.model, files, self.models, self.metrics, router=isolation)
        self.log = InferenceLogWriter(
            settings.store / "inference" / settings.model,
            self.metrics,
            settings.model,
            settings.log,
            shared=settings.version is not None or isolation is not None,
        )
        self.compaction = Compaction(settings)
        self.metrics.watch_sizes(log=lambda: self.log.bytes_on_disk, memory=resident_bytes)
        self.metrics.watch_ready(lambda: self.is_ready)
        self.only: OneVersion | None = None
        if settings.version is not None:
            self.only = OneVersion(settings.version, self.control, settings.poll_seconds)
        self.shadow = Shadow(self.log, self.metrics, buffer_rows=settings.shadow_buffer_rows)
        self.answering = Answering(
            settings.model, self.log, self.metrics, challenger_seconds=settings.challenger_seconds
        )
        self._refreshing = asyncio.Lock()
        self._background: asyncio.Task[None] | None = None
        self._refused: _Refused | None = None
        self._decoder: tuple[Batcher, PredictDecoder] | None = None

    async def start(self) -> None:
        if self._isolation is not None:
            await self._isolation.start()
        self.log.start()
        self.compaction.start()
        self.shadow.start()
        self._background = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Nothing that was answered is lost: the shadow is drained for some seconds, counters and log are
        written. Called when the server has finished the requests under way."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.gather(self._background, return_exceptions=True)
        await self.compaction.stop()
        await self.shadow.stop(_DRAIN_SECONDS)
        if self._isolation is not None:
            await self._isolation.drain()
            await self.gather()
        await self.control.keep()
        await asyncio.to_thread(self.log.stop)
        self.pool.shutdown(wait=False, cancel_futures=True)
        self._loading_pool.shutdown(wait=False, cancel_futures=True)
        self._claim.release()

    def answers(self, version: str) -> bool:
        """Whether a version that serves can answer now: one with a process of its own may have crashed."""
        return self._isolation is None or self._isolation.answers(version)

    @property
    def is_ready(self) -> bool:
        """Whether a champion is loaded and answers."""
        champion = self.control.routing.champion
        return champion is not None and self.answers(champion.model.version)

    async def gather(self) -> None:
        """Have the stage count what versions in processes of their own have counted."""
        if self._isolation is not None:
            await self._isolation.gather(self.control.routing)

    def flush(self) -> int:
        """Write what is logged, in every process; the number of rows."""
        return self.log.flush() + (0 if self._isolation is None else self._isolation.flush())

    def signature(self) -> Signature | None:
        """What a row may hold now; None while there is no champion."""
        decoder = self.decoder()
        return None if decoder is None else decoder.signature

    def decoder(self) -> PredictDecoder | None:
        """What reads the champion's requests, compiled once for each; None while there is no champion."""
        champion = self.control.routing.champion
        if champion is None:
            return None
        if self._decoder is None or self._decoder[0] is not champion:
            settings = self.settings
            signature = Signature(champion.model.columns, settings.key_column, settings.time_column)
            self._decoder = champion, PredictDecoder(signature, max_rows=settings.max_rows)
        return self._decoder[1]

    def problems(self) -> dict[str, str]:
        """What is not as it should be, by subject; requests are answered all the same."""
        others = {
            "inference_log": self.log.problem,
            "compaction": self.compaction.problem,
            "memory": self.memory.problem,
        }
        isolated = {} if self._isolation is None else self._isolation.problems()
        return {
            **self.control.problems,
            **isolated,
            **{name: said for name, said in others.items() if said is not None},
        }

    async def refresh(self) -> Traffic:
        """Look at the registry's alias now and follow it. Raises ``ModelRefused`` for a version that does
        not load and another ``MlopsError`` for the registry; what served before goes on serving."""
        async with self._refreshing:
            return await self._refresh(patient=False)

    async def _refresh(self, *, patient: bool) -> Traffic:
        control = self.control
        try:
            alias = await self.models.champion_version()
            control.problems.pop("registry", None)
        except MlopsError as error:
            control.problems["registry"] = str(error)
            raise
        if alias is None:
            if control.routing.champion is None:
                control.problems["champion"] = (
                    f"{self.settings.model} has no champion in the registry yet; train and promote one."
                )
        elif not (patient and self._refused is not None and self._refused.rests(alias, time.monotonic())):
            await self._follow(alias)
        return control.traffic()

    async def _follow(self, alias: str) -> None:
        try:
            await self.control.follow(alias)
            self._refused = None
        except MlopsError as error:
            self.control.problems["champion"] = str(error)
            before = self._refused
            pause = self.settings.poll_seconds
            if before is not None and before.version == alias:
                pause = min(2 * before.pause_seconds, _LONGEST_PAUSE_SECONDS)
            self._refused = _Refused(alias, time.monotonic() + pause, pause)
            raise

    async def _watch(self) -> None:
        steps: tuple[Callable[[], Awaitable[None]], ...] = ()
        if self.only is not None:
            await self._attempt(self.only.load)
        else:
            await self._attempt(self.control.recover)
            steps = (
                self._refresh_patiently,
                self.control.recover_challenger,
                self.gather,
                self._end_unused,
                self.control.keep,
            )
        while True:
            self.memory.look()
            for step in steps:
                await self._attempt(step)
            await asyncio.sleep(self.settings.poll_seconds)

    async def _end_unused(self) -> None:
        if self._isolation is not None:
            await self._isolation.end_unused(self.control.routing, self.models.held())

    async def _refresh_patiently(self) -> None:
        async with self._refreshing:
            await self._refresh(patient=True)

    async def _attempt(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take a step of the background work. What goes wrong with the world is in ``problems``, and what
        nobody thought of is logged; the next look is in a moment."""
        try:
            await step()
        except MlopsError:
            return
        except Exception as error:  # noqa: BLE001 - what it was is logged, without the rows it may quote
            where = "".join(traceback.format_tb(error.__traceback__))
            logging.getLogger(__name__).error(
                "The gateway goes on after a fault of its own, %s:\n%s", raised(error), where
            )


@dataclass(frozen=True, slots=True)
class _Refused:
    """A version that did not load. It alone is left to rest: another one is loaded at once."""

    version: str
    retry_at: float
    pause_seconds: float

    def rests(self, version: str, now: float) -> bool:
        return version == self.version and now < self.retry_at
