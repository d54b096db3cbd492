"""A sensor on the labels of a window."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.monitor_labels import Labels
from airflow_mlops.core.label_arrival import end_of_wait
from airflow_mlops.core.windows import Period, Window, WindowSources, resolve_window
from airflow_mlops.exceptions import ConfigError
from airflow_mlops.hooks.backends import connect_store
from airflow_mlops.sensors.waiting import ModelSensor
from airflow_mlops.triggers.pause import PauseTrigger


class LabelArrivalSensor(ModelSensor):
    """Waits until so many of a window's answers have a label, or until its deadline.

    ``coverage`` is the share, and ``deadline`` is counted from the window's end; both are those of
    ``monitor.labels`` in the YAML, if left out, which must have it: ``model`` is more than a name here. The
    window is ``window_start`` to ``window_end``, or the run's data interval, or the last ``monitor.window``.
    At the deadline ``on_deadline`` says whether to ``go_on`` (with ``reached`` false in XCom), to ``skip`` or
    to ``fail``.

    Each look is made in a worker, since it reads data and may run the model's own code; between looks,
    ``poke_interval`` apart (10 minutes), the task is deferred and holds none.
    """

    template_fields = ("window_start", "window_end")

    def __init__(
        self,
        *,
        window_start: str | datetime | None = None,
        window_end: str | datetime | None = None,
        coverage: float | None = None,
        deadline: timedelta | None = None,
        on_deadline: Literal["go_on", "skip", "fail"] = "go_on",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("poke_interval", 600)
        kwargs.setdefault("timeout", timedelta(days=3650))  # the deadline ends the wait
        super().__init__(**kwargs)
        if (window_start is None) != (window_end is None):
            raise ValueError("give window_start and window_end, or neither")
        if coverage is not None and not 0 < coverage <= 1:
            raise ValueError(f"coverage is {coverage}; it must be above 0, and at most 1")
        if on_deadline not in ("go_on", "skip", "fail"):
            raise ValueError(f"on_deadline is {on_deadline!r}; it must be go_on, skip or fail")
        self.window_start = window_start
        self.window_end = window_end
        self.coverage = coverage
        self.deadline = deadline
        self.on_deadline = on_deadline
        self._began: str | None = None

    def look(self, context: Any) -> dict[str, Any] | None:
        """Count once; the counts, if the wait is over."""
        from airflow_mlops.steps.label_arrival import arrived_labels

        config, labels = self._configured()
        now = datetime.now(timezone.utc)
        deadline = labels.waits if self.deadline is None else _as_period(self.deadline)
        arrived = arrived_labels(config, labels, self._window(config, context), connect_store())
        share = labels.coverage if self.coverage is None else self.coverage
        ended = end_of_wait(arrived, now, coverage=share, deadline=deadline)
        told = f"{arrived.labels} of {arrived.answers} answers in {arrived.window} have a label"
        self.log.info("%s; %.0f %% are waited for", told, 100 * share)
        if ended is None:
            return None
        if ended == "deadline" and self.on_deadline != "go_on":
            error = AirflowSkipException if self.on_deadline == "skip" else AirflowFailException
            raise error(f"{told}, and the deadline of {deadline} after the window has passed")
        return {
            "window_start": arrived.window.start.isoformat(),
            "window_end": arrived.window.end.isoformat(),
            "answers": arrived.answers,
            "labels": arrived.labels,
            "coverage": arrived.coverage,
            "reached": ended == "reached",
        }

    def trigger(self, context: Any) -> PauseTrigger:  # noqa: ARG002
        now = datetime.now(timezone.utc)
        self._began = self._began or now.isoformat()
        next_look = now + timedelta(seconds=float(self.poke_interval))
        return PauseTrigger(moment=next_look.isoformat(), resume={"began": self._began})

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> Any:
        """Look again, and wait again where it is too early."""
        if "error" in event:
            return super().execute_complete(context, event)
        self._began = str(event["resume"]["began"])
        waited = datetime.now(timezone.utc) - datetime.fromisoformat(self._began)
        if waited.total_seconds() > float(self.timeout):
            raise AirflowSensorTimeout(f"the labels were waited for {waited}, longer than timeout allows")
        return self.execute(context)

    def _configured(self) -> tuple[ModelConfig, Labels]:
        config = self.config()
        if config is None:
            raise ConfigError(
                f"model is {str(self.model)!r}, a name: give the path of its YAML, which says where labels "
                "land"
            )
        if config.monitor.labels is None:
            raise ConfigError(f"{config.model} has no monitor.labels, the place where true labels land")
        if config.compute.python is not None and config.monitor.labels.source.type == "python":
            raise ConfigError(
                f"the labels of {config.model} come from Python code that runs in compute.python, and "
                "sensors look in the worker's own Python; read them from Parquet files instead"
            )
        return config, config.monitor.labels

    def _window(self, config: ModelConfig, context: Any) -> Window:
        if self.window_start is not None and self.window_end is not None:
            return Window(_moment(self.window_start), _moment(self.window_end))
        run = context["dag_run"]
        start, end = run.data_interval_start, run.data_interval_end
        is_interval = start is not None and end is not None and start < end
        sources = WindowSources(
            data_interval=Window(start, end) if is_interval else None, run_after=run.run_after
        )
        return resolve_window(sources, Period.parse(config.monitor.window))


def _moment(value: str | datetime) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def _as_period(length: timedelta) -> Period:
    return Period(seconds=round(length.total_seconds()))
