"""What a model's YAML may say; names, types and descriptions here become the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from airflow_mlops.config.cron import checked_cron
from airflow_mlops.core.values import ColumnKind, Severity, TaskKind
from airflow_mlops.core.windows import Period

API_VERSION = "airflow-mlops/v1"


class Mistakes(ValueError):
    """What a validator finds wrong further down: ``(path below the checked part, message)``, all at once.

    Pydantic keeps the exception, so the loader can point at each key instead of the whole part.
    """

    def __init__(self, *found: tuple[tuple[str | int, ...], str]) -> None:
        super().__init__("; ".join(message for _, message in found))
        self.found = found


class _Part(BaseModel):
    """Frozen, refuses keys it does not know, and converts nothing: ``"3"`` and ``true`` are no numbers.

    Only lists are read as tuples (``strict=False`` on those fields), for YAML and JSON know no tuples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="strings")


def _period_text(text: str) -> str:
    return str(Period.parse(text))


def _whole(value: Any) -> Any:
    """A literal compares by value, and ``True == 1 == 1.0``."""
    if type(value) is not int:
        raise ValueError(f"must be 1, 2 or 3, not {value!r}")
    return value


def _utc(value: Any) -> Any:
    """YAML dates arrive as text (the reader resolves no timestamps); a bare date is midnight UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is not a moment such as 2013-01-01 or 2013-01-01T06:00Z") from error
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=timezone.utc)
    return value


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Column = Annotated[str, StringConstraints(min_length=1, max_length=128)]
ImportPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]
ClassPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
PeriodText = Annotated[str, AfterValidator(_period_text), Field(examples=["3 months", "14 days", "36h"])]
CronText = Annotated[str, AfterValidator(checked_cron), Field(examples=["@daily", "0 6 1 * *"])]
Moment = Annotated[
    datetime,
    BeforeValidator(_utc),
    WithJsonSchema({"type": "string", "examples": ["2013-01-01", "2013-01-01T06:00:00+00:00"]}),
]
Share = Annotated[float, Field(ge=0, le=1)]
Params = dict[str, Any]


class Schedule(_Part):
    """When the training pipeline runs by itself. Assets (drift, decay) may start it as well at level 3."""

    cron: CronText | None = Field(
        None, description="A cron line or a preset such as @monthly; each run covers one interval."
    )
    timezone: str = Field("UTC", description="IANA name of the time zone the cron is read in.")
    start: Moment | None = Field(None, description="First interval's start; needed with a cron.")
    end: Moment | None = Field(None, description="No interval starts after this moment.")
    catchup: bool = Field(False, description="Run the intervals missed while the DAG was paused.")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except Exception as error:  # zoneinfo raises four unrelated kinds for a bad name
            raise ValueError(f"{name!r} is not an IANA time zone such as Europe/Paris") from error
        return name

    @model_validator(mode="after")
    def _cron_needs_a_start(self) -> Self:
        if self.cron is not None and self.start is None:
            raise Mistakes((("cron",), "a cron needs 'start', the moment the first interval begins"))
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise Mistakes((("end",), "'end' must lie after 'start'"))
        return self


class PythonSource(_Part):
    """Rows from a function of yours: ``load(start, end, **params) -> DataFrame``."""

    type: Literal["python"]
    callable: ImportPath = Field(description="package.module:function, loaded where the step runs.")
    params: Params = Field(default_factory=dict, description="Keyword arguments for the function.")


class ParquetSource(_Part):
    """Rows from Parquet files."""

    type: Literal["parquet"]
    path: str = Field(
        description="A file or a glob; a relative path is looked up inside the store.", min_length=1
    )

    @field_validator("path")
    @classmethod
    def _in_the_store(cls, path: str) -> str:
        if "://" in path:
            raise ValueError(f"{path!r} is a URI; give a path, absolute or inside the store")
        parts = path.split("/")
        if not path.startswith("/") and any(not part or part.startswith(".") for part in parts):
            raise ValueError(
                f"{path!r} does not name anything in the store: no part of a relative path is empty "
                "or starts with a dot"
            )
        return path


Source = Annotated[PythonSource | ParquetSource, Field(discriminator="type")]


class TrainingWindow(_Part):
    """Which rows a run trains on: all since ``start`` (expanding), or the last ``length`` (rolling)."""

    start: Moment | None = Field(None, description="Expanding: every row since this moment.")
    length: PeriodText | None = Field(None, description="Rolling: only this much, as in '3 months'.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.start is None) == (self.length is None):
            raise ValueError("give either 'start' (expanding window) or 'length' (rolling window)")
        return self


class Holdout(_Part):
    """The newest slice of the window, which no model is trained on."""

    length: PeriodText = Field(description="How long the slice is, as in '14 days'.")


class Data(_Part):
    """What the model learns from."""

    source: Source
    time_column: Column = Field(description="When the row happened; decides window and holdout.")
    key: Column = Field(
        description="What names a row; joins predictions with labels, holds a row to one version in a canary."
    )
    label: Column = Field(description="What is predicted.")
    features: dict[Column, ColumnKind] = Field(
        min_length=1, description="Columns known at prediction time, each numeric or categorical."
    )
    window: TrainingWindow
    holdout: Holdout
    minimum_rows: int = Field(100, ge=10, description="Fewer rows than this are refused.")

    @model_validator(mode="after")
    def _label_is_no_feature(self) -> Self:
        found: list[tuple[tuple[str | int, ...], str]] = [
            (("features", name), f"{name!r} cannot be a feature: it is the {word}")
            for word, name in (("label", self.label), ("key", self.key))
            if name in self.features
        ]
        found += [
            (("label",), f"{name!r} cannot be the label: it is the {word}")
            for word, name in (("key", self.key), ("time column", self.time_column))
            if name == self.label
        ]
        if found:
            raise Mistakes(*found)
        return self

    @property
    def columns(self) -> list[str]:
        """Every column a snapshot holds, once, in a fixed order."""
        return list(dict.fromkeys([self.key, self.time_column, *self.features, self.label]))


class ExpectationConfig(_Part):
    """One Great Expectations expectation."""

    type: str = Field(pattern=r"^expect_[a-z0-9_]+$", description="Great Expectations' own name for it.")
    kwargs: Params = Field(default_factory=dict, description="Its arguments.")
    severity: Severity = Field(
        "critical", description="critical stops the run; warning and info are reported."
    )


class Validation(_Part):
    """What must hold of the rows before anything is trained."""

    expectations: tuple[ExpectationConfig, ...] = Field(
        (), strict=False, description="Great Expectations expectations, checked on every snapshot."
    )
    suite: str | None = Field(
        None,
        min_length=1,
        description="A Great Expectations suite, a JSON file beside this YAML; its expectations go first.",
    )


class Training(_Part):
    """How a model is made: a function of yours, or a scikit-learn estimator by its path."""

    callable: ImportPath | None = Field(
        None, description="train(features, label, params, seed) -> fitted estimator."
    )
    estimator: ClassPath | None = Field(
        None, description="Full path of a scikit-learn estimator; encoders for categories are added."
    )
    params: Params = Field(default_factory=dict, description="Handed to the function or the estimator.")
    seed: int = Field(0, ge=0, description="Same seed, same data, same model.")
    trusted_types: tuple[str, ...] = Field(
        (),
        strict=False,
        description="Types beyond scikit-learn's own that may be loaded with the model (skops).",
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.callable is None) == (self.estimator is None):
            raise ValueError("give either 'callable' or 'estimator'")
        return self


Metric = Literal[
    "roc_auc", "log_loss", "average_precision", "brier_score", "accuracy", "f1",
    "mean_absolute_error", "root_mean_squared_error", "r2",
]  # fmt: skip

METRICS_OF: dict[TaskKind, frozenset[str]] = {
    "binary_classification": frozenset(
        {"roc_auc", "log_loss", "average_precision", "brier_score", "accuracy", "f1"}
    ),
    "multiclass_classification": frozenset({"log_loss", "accuracy", "f1"}),
    "regression": frozenset({"mean_absolute_error", "root_mean_squared_error", "r2"}),
}


class EvaluationConfig(_Part):
    """Which metrics are computed on the holdout."""

    metrics: tuple[Metric, ...] = Field(
        min_length=1, strict=False, description="Computed for challenger and champion on the same rows."
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of every interval.")


class ThresholdGate(_Part):
    """The challenger's metric must reach a value."""

    type: Literal["threshold"]
    metric: Metric = Field(description="One of evaluation.metrics.")
    minimum: float | None = Field(None, description="The metric must be at least this.")
    maximum: float | None = Field(None, description="The metric must be at most this.")

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.minimum is None and self.maximum is None:
            raise ValueError("give 'minimum' or 'maximum'")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise Mistakes((("minimum",), "'minimum' is above 'maximum': nothing can pass"))
        return self


class ChampionGate(_Part):
    """The challenger must not be worse than the champion by more than ``margin``, on the same rows."""

    type: Literal["champion"]
    metric: Metric = Field(description="One of evaluation.metrics.")
    margin: float = Field(
        ge=0,
        description="How much worse is still as good, in the metric's unit; 0 asks for proof of no loss, "
        "which holds nearly every challenger.",
    )


Gate = Annotated[ThresholdGate | ChampionGate, Field(discriminator="type")]


class Gates(_Part):
    """What a challenger must pass before it is registered. There is no empty list of gates."""

    rules: tuple[Gate, ...] = Field(min_length=1, strict=False, description="Every rule must pass.")
    minimum_rows: int = Field(
        200, ge=1, description="Fewer holdout rows than this are inconclusive, whatever the numbers."
    )
    bootstrap: Literal["thresholds_only", "refuse"] = Field(
        "thresholds_only",
        description="A first model has no champion to beat: judge it by thresholds, or refuse it.",
    )


class TrackingConfig(_Part):
    """Where runs and models are recorded."""

    conn_id: str = Field("mlflow_default", description="Airflow connection of the MLflow server.")


class Shadow(_Part):
    """The challenger answers copies of the requests; nobody sees its answers."""

    minimum_requests: int = Field(200, ge=1, description="Rows to see before a verdict.")
    max_disagreement: Share = Field(
        0.5, description="Share of rows on which champion and challenger may differ."
    )


class Canary(_Part):
    """The challenger answers a growing share of the rows."""

    steps: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.1, 0.5), min_length=1, strict=False, description="Shares of the rows, rising."
    )
    minimum_requests: int = Field(
        200, ge=1, description="Rows the challenger must answer at each step before a verdict."
    )
    max_error_rate: Share = Field(0.01, description="Errors per row that are one too many.")
    max_latency_ratio: float = Field(
        3.0, gt=1, description="The challenger's p99 latency over the champion's."
    )

    @field_validator("steps")
    @classmethod
    def _rising(cls, steps: tuple[float, ...]) -> tuple[float, ...]:
        if list(steps) != sorted(set(steps)):
            raise ValueError("steps must rise, as in [0.1, 0.5]")
        return steps


class ServingTargetConfig(_Part):
    """Where the model answers requests."""

    type: Literal["embedded"] = Field("embedded", description="The model server of this package.")
    conn_id: str = Field("mlops_gateway_default", description="Airflow connection of the server.")


class Deploy(_Part):
    """How a challenger becomes the champion. Presets of the level fill in what is left out."""

    target: ServingTargetConfig = Field(default_factory=lambda: ServingTargetConfig(type="embedded"))
    automatic: bool | None = Field(
        None, description="Start when a challenger is registered (levels 2 and 3), or by hand (1)."
    )
    approval: bool | None = Field(
        None, description="A person must approve in Airflow before traffic moves (level 1)."
    )
    approval_timeout: PeriodText = Field("7 days", description="No answer for so long is a rejection.")
    shadow: Shadow = Field(default_factory=Shadow)
    canary: Canary = Field(default_factory=Canary)
    poll_interval_seconds: float = Field(
        10.0, gt=0, description="How often a stage of the rollout is looked at."
    )
    deadline: PeriodText = Field("1 day", description="How long shadow and each canary step may take.")
    on_deadline: Literal["roll_back", "promote_if_unharmed"] = Field(
        "roll_back",
        description="A stage without a verdict in time: roll back, or go on unless harm is proven.",
    )


class Labels(_Part):
    """Where true labels land later."""

    source: Source


class Drift(_Part):
    """How the endpoint's inputs are compared with what the champion was trained on."""

    method: Literal["psi", "jensenshannon", "wasserstein"] = Field(
        "psi", description="How far a column moved; with wasserstein, categories go by Jensen-Shannon."
    )
    threshold: float = Field(0.1, gt=0, description="A column at or above this score has drifted.")
    share: Share = Field(0.3, description="Share of drifted columns that makes the data drifted.")
    minimum_rows: int = Field(
        200, ge=1, description="Fewer rows in a window are not compared: by chance alone they look drifted."
    )
    sample_rows: int = Field(
        20_000, ge=100, le=100_000, description="Rows of each side that are compared, drawn at random."
    )


class Performance(_Part):
    """How the answers are held against the labels that have landed."""

    metric: Metric = Field(description="One of evaluation.metrics.")
    tolerance: float = Field(
        0.02, ge=0, description="How far below the promise at promotion the metric may fall."
    )
    minimum_labels: int = Field(200, ge=1, description="Fewer landed labels are inconclusive.")


class Monitor(_Part):
    """What is watched while the champion serves."""

    cron: CronText | None = Field(None, description="When to look; the interval is the window.")
    window: PeriodText = Field("1 day", description="The window of a run that has no interval.")
    labels: Labels | None = None
    drift: Drift = Field(default_factory=Drift)
    performance: Performance | None = None


Cause = Literal["drift", "decay"]


class Retraining(_Part):
    """When monitoring may start a training run (level 3)."""

    enabled: bool | None = Field(None, description="On at level 3, off below.")
    causes: tuple[Cause, ...] = Field(
        ("drift", "decay"),
        strict=False,
        min_length=1,
        description="What may start training; left out, all that monitor can see.",
    )
    k: int = Field(1, ge=1, description="So many of the last n windows must be bad, the latest too.")
    n: int = Field(1, ge=1, description="How many windows k is counted among, the latest included.")
    cooldown: PeriodText = Field("1 day", description="No request sooner than this after the last.")
    budget: int = Field(12, ge=1, description="Requests allowed per budget_period.")
    budget_period: PeriodText = Field("365 days", description="The stretch that the budget is for.")

    @model_validator(mode="after")
    def _k_of_n(self) -> Self:
        if self.k > self.n:
            raise Mistakes((("k",), f"k ({self.k}) cannot be larger than n ({self.n})"))
        return self


class Compute(_Part):
    """Where the heavy steps run; the Airflow worker's own Python if nothing is said."""

    python: str | None = Field(None, description="Path of another Python that has airflow-mlops.")


class ModelConfig(_Part):
    """One model: what it learns from, what it must prove, how it is shipped and watched."""

    apiVersion: Literal["airflow-mlops/v1"] = Field(  # noqa: N815 (the word Kubernetes users know)
        description="Version of this file's language."
    )
    model: Name = Field(description="Name of the model; its DAGs are <model>.train, .deploy, .monitor.")
    description: str = Field("", description="One sentence for the people who see its DAGs.")
    owner: str = Field("airflow", min_length=1, description="Who is asked when it breaks.")
    tags: tuple[Annotated[str, StringConstraints(min_length=1, max_length=100)], ...] = Field(
        (), strict=False, description="Tags of the DAGs in Airflow."
    )
    level: Annotated[Literal[1, 2, 3], BeforeValidator(_whole)] = Field(
        1, description="1 continuous training, 2 automatic delivery, 3 retraining by policy."
    )
    task: TaskKind = Field(description="What is predicted: two classes, several, or a number.")
    schedule: Schedule = Field(default_factory=Schedule)
    data: Data
    validation: Validation = Field(default_factory=Validation)
    training: Training
    evaluation: EvaluationConfig
    gates: Gates
    tracking: TrackingConfig = Field(default_factory=TrackingConfig)
    deploy: Deploy = Field(default_factory=Deploy)
    monitor: Monitor = Field(default_factory=Monitor)
    retraining: Retraining = Field(default_factory=Retraining)
    compute: Compute = Field(default_factory=Compute)
    retries: int = Field(1, ge=0, le=20, description="Retries of each task.")

    @model_validator(mode="after")
    def _metrics_fit_the_task(self) -> Self:
        found = [
            (path, problem)
            for path, metric in _metrics_named(self)
            if (problem := _metric_problem(metric, path, self))
        ]
        if found:
            raise Mistakes(*found)
        return self


def _metrics_named(config: ModelConfig) -> Iterator[tuple[tuple[str | int, ...], Metric]]:
    for index, metric in enumerate(config.evaluation.metrics):
        yield ("evaluation", "metrics", index), metric
    for index, rule in enumerate(config.gates.rules):
        yield ("gates", "rules", index, "metric"), rule.metric
    if config.monitor.performance is not None:
        yield ("monitor", "performance", "metric"), config.monitor.performance.metric


def _metric_problem(metric: Metric, path: tuple[str | int, ...], config: ModelConfig) -> str | None:
    allowed = METRICS_OF[config.task]
    if metric not in allowed:
        return f"metric {metric!r} does not fit task {config.task}; use one of {', '.join(sorted(allowed))}"
    if metric not in config.evaluation.metrics:
        return f"{path[0]} needs {metric!r}, which evaluation.metrics does not compute; add it there"
    return None
