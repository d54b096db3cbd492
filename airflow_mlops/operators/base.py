"""The operator that runs one step: request from the context, result to XCom."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mlops.exceptions import ConfigChanged, MlopsError
from airflow_mlops.operators.errors import airflow_errors

# Whoever only parses a DAG pays for each import at the top of this file: the rest waits for its first use.
if TYPE_CHECKING:
    from airflow_mlops.config.described import Described
    from airflow_mlops.config.models import ModelConfig
    from airflow_mlops.config.parts.schedule import Schedule
    from airflow_mlops.config.parts.score import Score
    from airflow_mlops.core.values import RunInfo
    from airflow_mlops.operators.other_python import OtherPython

DIGEST_KEY = "config"


@dataclass(frozen=True, slots=True)
class Configured:
    """The configuration a task runs with, and the digest that its result carries."""

    config: ModelConfig
    digest: str


class StepOperator(BaseOperator):
    """Runs one step of the loop. Subclasses say which, and what it takes from upstream.

    ``model`` is a ``Model``, a configuration, its JSON, or the path of a YAML that is read when the task
    runs. The result goes to XCom as plain JSON under the digest of the configuration, and a task refuses
    inputs that another configuration made: Airflow reads the YAML anew for each task, so an edit could reach
    half a run.

    Raises ``AirflowSkipException`` where there is nothing to do, ``AirflowFailException`` where
    a retry cannot help, ``AirflowException`` where it can.
    """

    step: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]] = ()
    optional_inputs: ClassVar[tuple[str, ...]] = ()
    needs_serving: ClassVar[bool] = False
    gives_verdict: ClassVar[bool] = False
    opens_run: ClassVar[bool] = False
    """Whether it comes first, and so holds an automatic run where ``healing.stop_after`` says so."""
    clock: ClassVar[Literal["training", "monitoring", "scoring"]] = "training"
    template_fields: Sequence[str] = ()
    result: dict[str, Any] | None = None
    failure: dict[str, str] | None = None
    failure_said: str = ""
    _elsewhere: OtherPython | None = None

    def __init__(
        self,
        *,
        model: Described | ModelConfig | Mapping[str, Any] | str | Path,
        config_digest: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.config_digest = config_digest

    def execute(self, context: Any) -> dict[str, Any]:
        """Build the request, run the step, hand back its result."""
        try:
            return self._execute(context)
        except AirflowSkipException:
            raise
        except Exception as error:
            from airflow_mlops.operators.failing import tell_failure

            tell_failure(self, self.step, error, context)
            raise

    def _execute(self, context: Any) -> dict[str, Any]:
        with airflow_errors():
            configured = self.configured()
            self.skip_without_inputs()
            self._skip_where_stopped(context, configured)
            request = self.request(context, configured)
            try:
                result = self.run_step(self.step, request, configured)
            except MlopsError as error:
                self.result = {"uri": error.report}  # for the failed task's link
                raise
            return self.finish(result, configured)

    def on_kill(self) -> None:
        """End the step where it runs in a process of its own."""
        if self._elsewhere is not None:
            self._elsewhere.kill()

    def configured(self) -> Configured:
        """The configuration in force. Raises ``ConfigChanged`` where an input was made with another,
        ``ConfigError`` where the YAML is wrong."""
        configured = self._read()
        for name in self.inputs:
            for value in _flat(getattr(self, name)):
                started_with = value.get(DIGEST_KEY)
                if started_with is not None and started_with != configured.digest:
                    raise changed_under_way(configured.config.model, started_with, configured.digest)
        return configured

    def skip_without_inputs(self) -> None:
        """Nothing upstream, nothing to do."""
        for name in self.inputs:
            if getattr(self, name) is None and name not in self.optional_inputs:
                raise AirflowSkipException(f"nothing to do: there is no {name} to work on")

    def request(self, context: Any, configured: Configured, **more: Any) -> dict[str, Any]:
        """The step's request as JSON values; ``more`` are fields that do not come from upstream."""
        from pydantic import TypeAdapter

        from airflow_mlops.core.values import RunInfo
        from airflow_mlops.operators.templates import rendered

        run = TypeAdapter(RunInfo).dump_python(self.run_info(context, configured), mode="json")
        config = rendered(configured.config.model_dump(mode="json"), self, context)
        inputs = {name: bare(getattr(self, name)) for name in self.inputs}
        return {"config": config, "run": run, **inputs, **more}

    def run_info(self, context: Any, configured: Configured) -> RunInfo:
        """The run as the step sees it."""
        from airflow_mlops.operators.partitions import PartitionKeys
        from airflow_mlops.operators.run_info import run_info

        return run_info(
            context,
            now=datetime.now(timezone.utc),
            config_digest=configured.digest,
            start_before=lambda end: self._start_before(configured.config, end),
            partition_keys=PartitionKeys.of(self._schedule(configured.config)),
        )

    def run_step(
        self, step: str, request: Mapping[str, Any], configured: Configured
    ) -> dict[str, Any] | None:
        """Run a step here, or in ``compute.python`` where that is set."""
        from airflow_mlops.hooks import backends
        from airflow_mlops.steps.catalog import run_step

        config = configured.config
        if config.compute.python is None:
            connected = backends.connect_backends(config, needs_serving=self.needs_serving)
            return run_step(step, dict(request), connected)
        from airflow_mlops.operators.other_python import OtherPython

        endpoints = backends.endpoints(config, needs_serving=self.needs_serving)
        self._elsewhere = OtherPython(config.compute.python)
        return self._elsewhere.run(step, request, endpoints, lambda line: self.log.info("%s", line))

    def finish(self, result: Mapping[str, Any] | None, configured: Configured) -> dict[str, Any]:
        """Log the result, keep it for the links, and mark it with the configuration's digest."""
        if result is None:
            raise AirflowSkipException(f"nothing to do: step {self.step} found nothing to work on")
        from airflow_mlops.operators.numbers import send_numbers
        from airflow_mlops.operators.summary import summary

        self.result = sanitised(dict(result))
        send_numbers(configured.config.model, self.step, result)
        self.log.info(
            "%s", "\n".join([f"{self.doing()} of {configured.config.model}:", *summary(self.result)])
        )
        return {DIGEST_KEY: configured.digest, **self.result}

    def doing(self) -> str:
        """What the log calls it."""
        return self.step

    def _skip_where_stopped(self, context: Any, configured: Configured) -> None:
        """A person's run goes on: that is how they show that it is mended."""
        healing, run = configured.config.healing, context["dag_run"]
        # Airflow 3.2 calls a run that another task has started a manual one too.
        asked = (getattr(run, "conf", None) or {}).get("request")
        by_hand = getattr(run.run_type, "value", run.run_type) == "manual" and not asked
        if not self.opens_run or not healing.enabled or healing.stop_after is None or by_hand:
            return
        from airflow_mlops.hooks.backends import connect_store
        from airflow_mlops.operators.failing import skip_where_stopped

        dag_id, model = run.dag_id, configured.config.model
        skip_where_stopped(dag_id, model, healing.stop_after, connect_store())

    def _read(self) -> Configured:
        from airflow_mlops.config.described import Described
        from airflow_mlops.config.load import load_model
        from airflow_mlops.config.models import ModelConfig
        from airflow_mlops.core.identity import content_hash
        from airflow_mlops.hooks.site import site_of_task

        config = self.model
        if isinstance(config, Described):
            return self._as_started(config.config, config.digest)
        if isinstance(config, Mapping):
            config = ModelConfig.model_validate_json(json.dumps(dict(config)))
        if isinstance(config, ModelConfig):
            # The same digest as the loader's, so that a path and its configuration are one and the same.
            return Configured(config, self.config_digest or content_hash(config.model_dump(mode="json")))
        path = Path(config)
        loaded = load_model(path, site_of_task(path, self.get_dag()))
        return self._as_started(loaded.config, loaded.digest)

    def _as_started(self, config: ModelConfig, digest: str) -> Configured:
        if self.config_digest is not None and self.config_digest != digest:
            raise changed_under_way(config.model, self.config_digest, digest)
        return Configured(config, digest)

    def _schedule(self, config: ModelConfig) -> Schedule:
        """Whose partition keys the run has."""
        return config.score.schedule if self.clock == "scoring" and config.score else config.schedule

    def _start_before(self, config: ModelConfig, end: datetime) -> datetime:
        from airflow_mlops.core.windows import Period

        if self.clock == "scoring" and config.score is not None:
            return _first_partition(config.score, end)
        if self.clock == "monitoring":
            return Period.parse(config.monitor.window).before(end)
        window = config.data.window
        if window.start is not None:
            return window.start
        return Period.parse(str(window.length)).before(end)


def _first_partition(score: Score, end: datetime) -> datetime:
    """Where a window begins of which a person has given the end alone: one partition, or ``score.window``."""
    from airflow_mlops.core.partitions import latest_partitions
    from airflow_mlops.core.windows import Period

    length = None if score.window is None else Period.parse(score.window)
    return latest_partitions(end, score.partition, score.schedule.timezone, length).start


def bare(value: Any) -> Any:
    """A value from XCom without the digest that ``finish`` put on it."""
    if isinstance(value, Mapping):
        return {key: item for key, item in value.items() if key != DIGEST_KEY}
    if isinstance(value, (list, tuple)):
        return [bare(item) for item in value]
    return value


def sanitised(value: Any) -> Any:
    """JSON values that Airflow's XCom takes: it refuses NaN and infinities, so they become the words
    that ``pydantic`` reads back as numbers."""
    match value:
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
        case Mapping():
            return {str(key): sanitised(item) for key, item in value.items()}
        case list() | tuple():
            return [sanitised(item) for item in value]
        case _:
            return value


def _flat(value: Any) -> list[Mapping[str, Any]]:
    values = value if isinstance(value, (list, tuple)) else [value]
    return [item for item in values if isinstance(item, Mapping)]


def changed_under_way(model: str, started_with: str, now: str) -> ConfigChanged:
    """The error of a task whose run was begun with another configuration."""
    return ConfigChanged(
        f"the YAML of {model} changed while this run was under way (started with {started_with[:12]}, now "
        f"{now[:12]}): start a new run (of a train or monitor run, all tasks may be "
        "cleared instead)"
    )
