"""Requests that arrive while a model is busy are predicted together in its next call."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Executor
from dataclasses import dataclass

from airflow_mlops.gateway.models import Predicted, ServedModel
from airflow_mlops.gateway.rows import Rows

MAX_BATCH_ROWS = 2_048


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    rows: Rows
    answer: asyncio.Future[Predicted]


class Batcher:
    """Calls one model, one call at a time. A lone request never waits for others to come; under load the
    batch is whatever came in during the last call, since a hundred rows cost hardly more than one.

    A request that makes a shared call fail does not take the others down: each is called again alone.
    """

    def __init__(self, model: ServedModel, pool: Executor) -> None:
        self.model = model
        self._pool = pool
        self._waiting: deque[_Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def predict(self, rows: Rows) -> Predicted:
        """This request's answers; ``seconds`` is the duration of the call that it was part of.
        Raises what the model raised on these rows. Rows whose caller gives up waiting are not predicted."""
        waiting = _Waiting(rows, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        try:
            return await waiting.answer
        finally:
            if waiting.answer.cancelled() and waiting in self._waiting:
                self._waiting.remove(waiting)

    async def _work(self) -> None:
        while self._waiting:
            batch = self._take()
            try:
                await self._call(batch)
            except Exception:  # noqa: BLE001 - a model may raise anything; whose rows did it is found below
                for waiting in batch:
                    if not waiting.answer.done():
                        await self._call_alone(waiting)
        self._worker = None

    def _take(self) -> list[_Waiting]:
        batch = [self._waiting.popleft()]
        total = len(batch[0].rows)
        while self._waiting and total + len(self._waiting[0].rows) <= MAX_BATCH_ROWS:
            batch.append(self._waiting.popleft())
            total += len(batch[-1].rows)
        return batch

    async def _call(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        predicted = await loop.run_in_executor(self._pool, self.model.predict, [w.rows for w in batch])
        start = 0
        for waiting in batch:
            end = start + len(waiting.rows)
            if not waiting.answer.done():
                waiting.answer.set_result(
                    Predicted(predicted.answers[start:end], predicted.scores[start:end], predicted.seconds)
                )
            start = end

    async def _call_alone(self, waiting: _Waiting) -> None:
        try:
            await self._call([waiting])
        except Exception as error:  # noqa: BLE001 - handed to the request that these rows are of
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
