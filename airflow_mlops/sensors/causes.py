"""Sensors that wait until there is a cause to act: drift, decay, new data, or a model that has grown old."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar

from airflow.sdk.exceptions import AirflowSensorTimeout

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.causes import (
    ABOUT_CAUSES,
    CauseEvent,
    CauseName,
    TakenCause,
    Taker,
    claim_id,
    claims_by_id,
    held_by,
    pending_causes,
)
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.model_age import age_cause, is_of_age
from airflow_mlops.core.windows import Period
from airflow_mlops.exceptions import ConfigError
from airflow_mlops.hooks.backends import connect_backends, connect_store
from airflow_mlops.hooks.causes import taken_json, taker_of
from airflow_mlops.sensors.waiting import ModelSensor
from airflow_mlops.steps.take_causes import take_cause, take_causes
from airflow_mlops.triggers.age import ModelAgeTrigger
from airflow_mlops.triggers.causes import CauseTrigger
from airflow_mlops.triggers.pause import PauseTrigger


class CauseSensor(ModelSensor):
    """Waits until there is a cause to act, and takes it: each cause lets one run of the DAG go on, once.

    ``model`` is a model's name, a ``Model``, its configuration, or the path of its YAML (``.yaml`` or
    ``.yml``). ``consumer`` names who takes, if it is not this DAG: DAGs with one name share the causes. With
    ``take=False`` nothing is taken, and the next run finds the same cause. The result holds ``causes``,
    oldest first, and all their ``reasons``. A retry finds what the run has taken; where a run failed for
    good, clear its tasks.
    """

    def __init__(self, *, consumer: str | None = None, take: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.consumer = consumer
        self.take = take

    def look(self, context: Any) -> dict[str, Any] | None:
        model, taker = self.name(), taker_of(context, self.consumer)
        found = self.causes_of(model, taker)
        return taken_json(model, found) if found else None

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> Any:
        """Resumed by the trigger, which only looks: the cause is taken here. Where another run of the DAG has
        taken it meanwhile, the wait goes on, and ``timeout`` counts from its beginning."""
        if "error" in event:
            return super().execute_complete(context, event)
        began = getattr(context.get("ti"), "start_date", None)
        waited = datetime.now(timezone.utc) - began if began is not None else timedelta()
        found = self._found(context)
        if found is None and waited.total_seconds() > float(self.timeout):
            raise AirflowSensorTimeout(f"there was no cause to act for {waited}; timeout is {self.timeout} s")
        return found if found is not None else self.execute(context)

    @abstractmethod
    def causes_of(self, model: str, taker: Taker) -> Sequence[CauseEvent]:
        """The causes that let the run go on, taken if they are to be."""


class FoundSensor(CauseSensor):
    """Waits until monitoring has found what it waits for, in the ledger. Nothing but the model's name is
    needed. ``since`` leaves out what was found before; if it is not given, that is the DAG's ``start_date``.
    """

    causes: ClassVar[tuple[TakenCause, ...]]

    def __init__(self, *, since: datetime | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.since = since

    def causes_of(self, model: str, taker: Taker) -> Sequence[CauseEvent]:
        ledger = connect_store().ledger
        if self.take:
            return take_causes(ledger, model, self.causes, taker, self._since())
        return pending_causes(ledger.entries(model, ABOUT_CAUSES), self.causes, taker.consumer, self._since())

    def trigger(self, context: Any) -> CauseTrigger:
        since = self._since()
        return CauseTrigger(
            model=self.name(),
            causes=list(self.causes),
            consumer=taker_of(context, self.consumer).consumer,
            once=True,
            since=since.isoformat() if since is not None else None,
            poll_interval=float(self.poke_interval),
        )

    def _since(self) -> datetime | None:
        return self.since or getattr(self.get_dag(), "start_date", None)


class DriftSensor(FoundSensor):
    """Waits until monitoring finds that what the model is asked has drifted, and takes all such findings."""

    causes = ("drift",)


class PerformanceSensor(FoundSensor):
    """Waits until monitoring finds that the model is worse on landed labels than it promised at promotion,
    and takes all such findings."""

    causes = ("decay",)


class WorkedOutSensor(CauseSensor):
    """Waits for a cause that nobody writes down: each look works it out."""

    cause: ClassVar[CauseName]

    def causes_of(self, model: str, taker: Taker) -> Sequence[CauseEvent]:
        ledger = connect_store().ledger
        entries = ledger.entries(model)
        if self.take and (held := held_by(entries, self.cause, taker, self.is_own)) is not None:
            return [held]
        found = self.work_out(entries, taker)
        if found is None or claim_id(found, taker.consumer) in claims_by_id(entries):
            return []
        return [found] if not self.take or take_cause(ledger, found, taker) else []

    @abstractmethod
    def is_own(self, event: CauseEvent) -> bool:
        """Whether a cause that this run has taken is this sensor's own: another one of the DAG may have
        another limit."""

    @abstractmethod
    def work_out(self, entries: Sequence[Entry], taker: Taker) -> CauseEvent | None:
        """The cause as of now, if there is one."""


class NewDataSensor(WorkedOutSensor):
    """Waits until there are ``minimum_rows`` new rows with a label, and takes them.

    New are rows of later event time than any training of the model, and than what this consumer took before.
    They are counted in the model's own data source, so ``model`` is more than a name: a ``Model``, its
    configuration, or the path of its YAML (``.yaml`` or ``.yml``). Each look is a short task, which reads
    time and label alone, in the worker's Python, every quarter of an hour unless ``poke_interval`` says
    otherwise.
    """

    cause = "new_data"

    def __init__(self, *, minimum_rows: int = 1, **kwargs: Any) -> None:
        kwargs.setdefault("poke_interval", 900)
        super().__init__(**kwargs)
        if minimum_rows < 1:
            raise ValueError(f"minimum_rows is {minimum_rows}; it must be 1 or more")
        self.minimum_rows = minimum_rows

    def work_out(self, entries: Sequence[Entry], taker: Taker) -> CauseEvent | None:
        from airflow_mlops.steps.new_rows import new_rows

        config = self._needed_config()
        return new_rows(config, entries, taker, self.minimum_rows, connect_backends(config))

    def is_own(self, event: CauseEvent) -> bool:
        return event.scores.get("rows", 0.0) >= self.minimum_rows

    def trigger(self, context: Any) -> PauseTrigger:  # noqa: ARG002
        next_look = datetime.now(timezone.utc) + timedelta(seconds=float(self.poke_interval))
        return PauseTrigger(moment=next_look.isoformat())

    def _needed_config(self) -> ModelConfig:
        config = self.config()
        if config is None:
            raise ConfigError(
                f"{self.model!r} is a model's name, which does not say where its rows are: give "
                f"{type(self).__name__} the path of its YAML, a Model, or its configuration"
            )
        if config.compute.python is not None and config.data.source.type == "python":
            raise ConfigError(
                f"the rows of {config.model} come from Python code that runs in compute.python, and sensors "
                "look in the worker's own Python: read them from Parquet files, or start the DAG by an asset"
            )
        return config


class ModelAgeSensor(WorkedOutSensor):
    """Waits until the champion has learned nothing new for ``age``, as in ``30 days``.

    Age counts from the end of the rows that it was trained on, by the ledger; the model's name is enough. A
    champion that stays, since no challenger could beat it, is a cause again when another ``age`` has passed.
    """

    cause = "age"

    def __init__(self, *, age: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        Period.parse(age)
        self.age = age

    def work_out(self, entries: Sequence[Entry], taker: Taker) -> CauseEvent | None:
        return age_cause(entries, Period.parse(self.age), taker.at)

    def is_own(self, event: CauseEvent) -> bool:
        return is_of_age(event, Period.parse(self.age))

    def trigger(self, context: Any) -> ModelAgeTrigger:
        return ModelAgeTrigger(
            model=self.name(),
            age=self.age,
            consumer=taker_of(context, self.consumer).consumer,
            poll_interval=float(self.poke_interval),
        )
