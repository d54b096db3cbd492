"""Versions are loaded off the event loop, once, and stay warm for the traffic change that follows."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor

from airflow_mlops.exceptions import BackendUnavailable, MlopsError, ModelRefused
from airflow_mlops.gateway.batching import Batcher
from airflow_mlops.gateway.memory import MemoryGuard
from airflow_mlops.gateway.metrics import GatewayMetrics
from airflow_mlops.gateway.models import ModelLoader, serve_model


class Models:
    """Loads versions; two callers who want the same one share the load.

    One version that serves nobody yet is kept warm, so that a smoke test and the traffic change after
    it load once. ``forget`` lets it go. One that was the champion until a moment ago is kept as well, for an
    instant way back: the last one only, so there are never more than four in memory.
    """

    def __init__(
        self,
        loader: ModelLoader,
        metrics: GatewayMetrics,
        memory: MemoryGuard,
        *,
        loading: Executor,
        predicting: Executor,
    ) -> None:
        self._loader = loader
        self._metrics = metrics
        self._memory = memory
        self._loading_pool = loading
        self._predicting_pool = predicting
        self._under_way: dict[str, asyncio.Task[Batcher]] = {}
        self._warm: Batcher | None = None
        self._previous: Batcher | None = None

    @property
    def previous(self) -> str | None:
        """The version that was the champion before, and is still in memory."""
        return None if self._previous is None else self._previous.model.version

    async def champion_version(self) -> str | None:
        """The registry's ``champion`` alias. Raises ``BackendUnavailable``."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._loading_pool, self._loader.champion_version)
        except MlopsError:
            raise
        except Exception as error:
            raise BackendUnavailable(f"The registry could not be asked for its champion: {error}") from error

    async def load(self, version: str, *serving: Batcher | None) -> Batcher:
        """A version that is ready to answer, from ``serving`` or the warm one where it is there.
        Raises ``ModelRefused``, or ``BackendUnavailable``, also where there is no memory for it."""
        for known in (*serving, self._warm, self._previous):
            if known is not None and known.model.version == version:
                return known
        self._memory.look()
        if self._memory.problem is not None and any(serving):
            raise BackendUnavailable(
                f"Version {version} is not loaded beside what serves. {self._memory.problem} Raise "
                "the limit, or give the model a larger machine."
            )
        if version not in self._under_way:
            task = asyncio.create_task(self._load(version))
            self._under_way[version] = task
            task.add_done_callback(lambda _: self._under_way.pop(version, None))
        # Shielded: a caller that hangs up must not end the load for the others.
        self._warm = await asyncio.shield(self._under_way[version])
        return self._warm

    def held(self) -> set[str]:
        """Versions that are loaded, or being loaded, though they may serve nobody now."""
        kept = [one.model.version for one in (self._warm, self._previous) if one is not None]
        return {*kept, *self._under_way}

    def forget(self) -> None:
        """Let the warm version go; whoever serves it keeps it."""
        self._warm = None

    def followed(self, previous: Batcher | None, champion: Batcher) -> None:
        """Keep the champion that another one has followed."""
        if previous is not None and previous is not champion:
            self._previous = previous

    async def _load(self, version: str) -> Batcher:
        loop = asyncio.get_running_loop()
        try:
            model = await loop.run_in_executor(
                self._loading_pool, lambda: serve_model(version, self._loader.load(version))
            )
        except MlopsError:
            self._metrics.load_failed(version)
            raise
        except Exception as error:
            self._metrics.load_failed(version)
            raise ModelRefused(
                f"Version {version} could not be loaded: {type(error).__name__}: {error}"
            ) from error
        return Batcher(model, self._predicting_pool)
