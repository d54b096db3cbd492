"""The events and the base that triggers share, with types where Airflow has none."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from pydantic import ValidationError

from airflow_mlops.exceptions import BackendUnavailable, MlopsError


class Trigger(BaseTrigger):
    """A trigger whose constructor arguments are its attributes of the same names."""

    arguments: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's constructor has no types

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What Airflow keeps of the trigger, to make it again in the triggerer."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in self.arguments}


class LookingTrigger(Trigger):
    """A sensor's look, made again from the triggerer until it finds something."""

    poll_interval: float

    @abstractmethod
    def _look(self) -> Mapping[str, Any] | None:
        """Look once: what was found, in JSON values, or None."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: ``{"found": ...}``, or ``{"error": ..., "retry": ...}``. Who is away is asked again: the
        sensor's own timeout bounds the wait."""
        found: Mapping[str, Any] | None = None
        while found is None:
            await asyncio.sleep(self.poll_interval)
            try:
                found = await asyncio.to_thread(self._look)
            except BackendUnavailable as error:
                self.log.warning("Cannot look, and will look again: %s", error)
            except MlopsError as error:
                yield error_event(error)
                return
        yield event({"found": dict(found)})


class ResumingTrigger(Trigger):
    """A trigger that hands back with its event what the operator needs to go on, as ``resume``.

    Airflow's own way, ``kwargs`` of ``defer``, is lost in ``dag.test()``, which puts the event in their
    place.
    """

    resume: Mapping[str, Any] | None = None

    @abstractmethod
    async def _watch(self) -> Mapping[str, Any]:
        """What the event says, once the wait is over."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: what the watch came to, or ``{"error": ..., "retry": ...}``; with ``resume`` where there
        is something to resume with."""
        try:
            given = event(await self._watch())
        except MlopsError as error:
            given = error_event(error)
        except ValidationError as error:
            given = other_release_event(error)
        yield given if self.resume is None else event({**given.payload, "resume": dict(self.resume)})


def event(payload: Mapping[str, Any]) -> TriggerEvent:
    """The event that resumes the task."""
    return TriggerEvent(dict(payload))  # type: ignore[no-untyped-call]  # Airflow's constructor has no types


def error_event(error: MlopsError) -> TriggerEvent:
    """The event that fails the task, now or after its retries."""
    return event({"error": str(error), "retry": error.retry_can_help})


def other_release_event(error: ValidationError) -> TriggerEvent:
    """The event of a trigger that cannot read its request: an upgrade restarts workers with their next task,
    but the triggerer only when somebody does."""
    told = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    message = (
        "the triggerer cannot read what the worker wrote; if airflow-mlops was upgraded, restart the "
        f"triggerer ({told})"
    )
    return event({"error": message, "retry": True})
