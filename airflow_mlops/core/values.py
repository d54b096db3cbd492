"""The frozen values that travel between steps: ids, URIs and numbers, never data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from airflow_mlops.core.windows import Window, WindowSources

TaskKind = Literal[
    "binary_classification", "multiclass_classification", "regression", "ranking", "forecasting"
]  # fmt: skip
RunKind = Literal["scheduled", "manual", "asset", "backfill"]
Outcome = Literal["pass", "fail", "inconclusive"]
Severity = Literal["critical", "warning", "info"]
ColumnKind = Literal["numeric", "categorical", "text"]
"""``text`` is prose, whose words are features; a category is compared as a whole."""
CheckOutcome = Literal["held", "failed", "errored"]
SnapshotPart = Literal["train", "holdout", "left_out"]
PART_COLUMN = "__part__"
"""The one name that no column of a snapshot may have: it says there which part a row belongs to."""


def is_classification(task: TaskKind) -> bool:
    """Whether a prediction is the probability of a class. All other tasks predict one number a row."""
    return task in ("binary_classification", "multiclass_classification")


@dataclass(frozen=True, slots=True)
class RunKey:
    """What names a run of a task, the same on every retry."""

    dag_id: str
    run_id: str
    map_index: int = -1


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One pipeline run as its steps see it. ``actor`` is a person's name or ``airflow``; ``now`` is the
    wall clock when the task started; ``sources`` is what the run knows of its own window. ``woken_by`` names
    the assets whose events started it, ``reason`` is what a person gave as one, ``request`` is the retraining
    request that it was started for.
    """

    key: RunKey
    kind: RunKind
    sources: WindowSources
    now: datetime
    actor: str = "airflow"
    config_digest: str | None = None
    code_version: str | None = None
    woken_by: tuple[str, ...] = ()
    reason: str = ""
    request: str = ""


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """An immutable snapshot: rows with event time in ``window``; no row of the holdout is from before
    ``holdout_start``. ``version`` is the sha256 of the snapshot's manifest, ``rows`` counts all rows.

    ``left_out_rows`` are neither trained on nor judged by: their group stands in the holdout.
    """

    uri: str
    version: str
    rows: int
    holdout_rows: int
    window: Window
    holdout_start: datetime
    schema_hash: str
    left_out_rows: int = 0

    @property
    def training_rows(self) -> int:
        """How many rows there are to train on."""
        return self.rows - self.holdout_rows - self.left_out_rows


@dataclass(frozen=True, slots=True)
class RunRef:
    """A tracking run that holds a logged model. ``model_uri`` loads it; ``sha256`` is of its model file."""

    run_id: str
    model_uri: str
    url: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class SearchRun:
    """A tracking run of a hyperparameter search; its trials are nested in it."""

    run_id: str
    experiment_id: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A registered model version."""

    name: str
    version: str
    url: str | None = None

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"


@dataclass(frozen=True, slots=True)
class Report:
    """A kept report: ``uri`` of the page, ``summary`` of small JSON values."""

    kind: str
    uri: str
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision and its reasons in words and numbers."""

    outcome: Outcome
    reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return self.outcome == "pass"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric with its confidence interval, in the metric's own unit."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:z.4f} ({self.low:z.4f} to {self.high:z.4f})"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number that a gate judges: ``name`` says of what (a slice, a perturbation, a percentile), ``rows``
    on how many rows. ``p_value`` is one-sided, of the null that the gate's bound is held, and corrected for
    all that was looked at, where the gate looks in many places; the interval is then at the same level.
    """

    name: str
    estimate: Estimate
    rows: int | None = None
    p_value: float | None = None
    note: str = ""

    @property
    def shown(self) -> str:
        """The number with its interval; what was counted, not estimated, has none to tell of."""
        one = self.estimate
        return f"{one.value:.4g}" if one.low == one.value == one.high else str(one)


@dataclass(frozen=True, slots=True)
class Point:
    """One line or dot of a figure: an estimate on so many rows, and where it stands on the other axis, if
    there is one."""

    name: str
    estimate: Estimate
    rows: int | None = None
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """Numbers that the report draws. ``forest``: intervals below each other, with a line at ``reference``;
    ``reliability``: what was observed (``estimate``) over what was predicted (``at``)."""

    kind: Literal["forest", "reliability"]
    title: str
    points: tuple[Point, ...]
    reference: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was measured for the gate rule called ``rule``, in ``unit`` (nothing for a share or a metric).

    ``verdict`` is there where the measurement judges itself (a gate of the user's own), ``problem`` says why
    nothing could be measured. ``notes`` and ``figures`` are for the report. The worst measurements come
    first where there are many; ``unlisted`` counts those that only the report lists.
    """

    rule: str
    measurements: tuple[Measurement, ...] = ()
    unit: str = ""
    verdict: Verdict | None = None
    problem: str | None = None
    notes: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    unlisted: int = 0

    def in_short(self, most: int = 20) -> Finding:
        """Small enough to travel: the first measurements, and no figures."""
        left_out = max(len(self.measurements) - most, 0)
        return replace(
            self, measurements=self.measurements[:most], figures=(), unlisted=self.unlisted + left_out
        )


@dataclass(frozen=True, slots=True)
class Importance:
    """How much a model leans on a feature: what it loses of a metric without it, or the mean size of its
    contribution (SHAP). ``part`` names the slice of rows, and is empty for all rows.
    """

    feature: str
    estimate: Estimate
    part: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Challenger and champion on the same holdout rows.

    ``difference`` is challenger minus champion, paired by row. ``champion_problem`` says why a champion
    that exists could not be compared (schema changed, cannot be loaded); then its numbers are absent.
    ``champion_incompatible`` says that no other holdout would change that. ``findings`` holds what the gates
    beyond metrics have asked for.
    """

    rows: int
    confidence: float
    challenger: Mapping[str, Estimate]
    champion: ModelRef | None = None
    champion_metrics: Mapping[str, Estimate] = field(default_factory=dict)
    difference: Mapping[str, Estimate] = field(default_factory=dict)
    champion_problem: str | None = None
    champion_incompatible: bool = False
    findings: tuple[Finding, ...] = ()
    report: Report | None = None

    def in_short(self) -> Evaluation:
        """Small enough to travel; the run's own file and the report have all of it."""
        return replace(self, findings=tuple(finding.in_short() for finding in self.findings))


@dataclass(frozen=True, slots=True)
class Expectation:
    """One line of a Great Expectations suite."""

    type: str
    kwargs: Mapping[str, Any]
    severity: Severity = "critical"


_EXTREMES = ("expect_column_min_to_be_between", "expect_column_max_to_be_between")


@dataclass(frozen=True, slots=True)
class CheckedExpectation:
    """What became of one expectation. ``error`` is set where it could not be computed, which is not to say
    that it failed.

    ``unexpected`` counts rows at fault out of ``rows``; raw values stay in the report. Where only a sample
    was looked at, ``rows`` are the sample's, and ``sampled_from`` counts those that it was drawn from.
    """

    expectation: Expectation
    success: bool
    rows: int | None = None
    unexpected: int | None = None
    observed: str | None = None
    error: str | None = None
    sampled_from: int | None = None

    @property
    def outcome(self) -> CheckOutcome:
        if self.error is not None:
            return "errored"
        return "held" if self.success else "failed"

    @property
    def on_a_page(self) -> str:
        """With an extreme too, which is the value of a row."""
        return self._said(self.observed)

    def __str__(self) -> str:
        return self._said(None if self.expectation.type in _EXTREMES else self.observed)

    def _said(self, observed: str | None) -> str:
        column = self.expectation.kwargs.get("column")
        subject = f"{self.expectation.type} on {column}" if column else self.expectation.type
        if self.error is not None:
            return f"{subject}: could not be computed: {self.error}"
        sample = "" if self.sampled_from is None else f", in a sample of {self.sampled_from} rows"
        if self.unexpected is not None and self.rows:
            share = 100 * self.unexpected / self.rows
            return f"{subject}: {self.unexpected} of {self.rows} rows ({share:.3g} %){sample}"
        return f"{subject}: observed {observed}{sample}" if observed else f"{subject}{sample}"


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """How far one column moved, in all rows or in a ``slice`` of them.

    ``score`` is an effect size in the method's own unit (PSI, Jensen-Shannon distance...): it does not grow
    with the rows. ``p_value`` is of the null that nothing moved, corrected for all looks at once; a column
    has drifted only where the effect is large and chance does not explain it. It is None where no test was
    needed, as for a column that has lost all its values.
    """

    column: str
    method: str
    score: float
    threshold: float
    p_value: float | None = None
    false_discovery_rate: float = 0.05
    slice: str = ""

    @property
    def drifted(self) -> bool:
        return self.score >= self.threshold and self.significant

    @property
    def significant(self) -> bool:
        """Whether chance alone does not explain the score."""
        return self.p_value is None or self.p_value <= self.false_discovery_rate

    @property
    def times(self) -> float:
        """The score in units of its threshold: what columns of different methods are ranked by."""
        return self.score / self.threshold if self.threshold > 0 else self.score

    def __str__(self) -> str:
        where = f" in {self.slice}" if self.slice else ""
        chance = "" if self.p_value is None else f", p {self.p_value:.2g}"
        return f"{self.column}{where}: {self.method} {self.score:.4f}, threshold {self.threshold:.4f}{chance}"


Role = Literal["champion", "challenger", "shadow"]
LOG_COLUMNS: frozenset[str] = frozenset(
    {
        "request_id", "key", "event_time", "received_at", "version", "role", "mode", "weight", "rollout_id",
        "prediction", "error", "latency_seconds",
    }
)  # fmt: skip
"""The inference log's own columns. Features stand beside them under their own names, so none may be
called like one of these.
"""

RolloutMode = Literal["none", "shadow", "canary"]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a serving target says it is doing now. ``weight`` is the challenger's share of rows, 0 to 1."""

    champion: ModelRef | None
    challenger: ModelRef | None = None
    mode: RolloutMode = "none"
    weight: float = 0.0
    rollout_id: str | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """How far a target is with bringing a version up; ``said`` is its own words for a person who waits."""

    ready: bool
    said: str


@dataclass(frozen=True, slots=True)
class ArmObservation:
    """One version's part of a rollout. What a target does not tell is left out, and not judged.

    ``calls`` are the requests (or parts of one) that its rows came in, ``failed_calls`` those in error: a
    call that fails takes all its rows along, so they are the evidence, where they are known. Latencies are
    in seconds of a call of the model; ``latencies`` counts them between ``Observation.latency_edges``, of
    calls that were answered. ``scores`` is a histogram of the prediction over fixed bins.
    """

    version: str
    rows: int
    errors: int
    latency_p50_seconds: float | None = None
    latency_p99_seconds: float | None = None
    mean_score: float | None = None
    scores: tuple[int, ...] = ()
    calls: int | None = None
    failed_calls: int | None = None
    latencies: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What the endpoint saw since the current stage of the rollout began.

    In shadow mode ``disagreements`` counts rows whose predictions of champion and shadow differ
    by more than ``disagreement_tolerance`` (or in class); None where the target does not see the shadow's
    answers, as a router that mirrors requests does not: the shadow is then judged without them.

    ``latency_edges`` are rising seconds that part both arms' ``latencies``, one number fewer than these: the
    target's own (a Prometheus histogram's ``le``), or none, where they are ``core.latencies.EDGES``.
    """

    rollout_id: str
    mode: RolloutMode
    weight: float
    since: datetime
    champion: ArmObservation | None
    challenger: ArmObservation | None
    disagreements: int | None = 0
    latency_edges: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollout:
    """One challenger on its way to become champion. ``id`` is the same on every retry."""

    id: str
    candidate: ModelRef
    champion: ModelRef | None
    training: RunRef
