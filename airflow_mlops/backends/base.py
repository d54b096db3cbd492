"""What the steps ask of the outside world. Each Protocol has one contract suite in ``tests/contracts``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow_mlops.core.folds import CrossValidation
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.metrics import AS_IT_IS, Direction, Scoring
from airflow_mlops.core.proportions import Sided
from airflow_mlops.core.tuning import Budget, SearchPlan, Trial, TrialState
from airflow_mlops.core.values import (
    CheckedExpectation,
    ColumnDrift,
    ColumnKind,
    DatasetRef,
    Estimate,
    Expectation,
    Finding,
    Importance,
    ModelRef,
    Observation,
    RunRef,
    SearchRun,
    SnapshotPart,
    TaskKind,
    Traffic,
)
from airflow_mlops.core.windows import Window

if TYPE_CHECKING:
    import pandas as pd


class ObjectStore(Protocol):
    """Named bytes. Keys are relative, with ``/`` between parts. All raise ``StoreUnavailable``."""

    def put(self, key: str, body: bytes) -> str:
        """Write whole or not at all, replacing what was there; the object's URI."""

    def put_new(self, key: str, body: bytes) -> bool:
        """Write whole if the key is free; False, and nothing written, if it is taken. Atomic."""

    def get(self, key: str) -> bytes:
        """The bytes. Raises ``KeyError`` if there is no such key."""

    def keys(self, prefix: str) -> list[str]:
        """All keys below a prefix, sorted."""

    def uri(self, key: str) -> str:
        """The URI that ``local_path`` and other programs understand."""

    def local_path(self, uri: str) -> Path:
        """A local file with the object's content (downloaded first where the store is remote).
        Accepts a URI of this store or a key. Raises ``KeyError`` if there is no such object."""


class LedgerStore(Protocol):
    """The append-only record of decisions."""

    def append(self, entry: Entry) -> Entry:
        """Record an entry; the entry that holds this id (an earlier one, if it was there first)."""

    def entries(self, model: str) -> list[Entry]:
        """Every entry of a model, oldest first."""


class DataSource(Protocol):
    """Where rows come from."""

    def read(self, window: Window, *, time_column: str, columns: Sequence[str]) -> pd.DataFrame:
        """Rows with ``window.start <= time_column < window.end``, exactly these columns, ordered by time.

        Raises ``DataRefused`` that names missing columns or a time column of the wrong type;
        an empty frame where there are no rows.
        """


class Datasets(Protocol):
    """Immutable, content-addressed Parquet in the store."""

    def save(
        self,
        frame: pd.DataFrame,
        *,
        model: str,
        window: Window,
        time_column: str,
        holdout_start: datetime,
        parts: Sequence[SnapshotPart] | None = None,
    ) -> DatasetRef:
        """Keep a frame; equal content gives the same object and version.

        ``parts`` says of each row which part it belongs to. Without it the holdout is what happened at or
        after ``holdout_start``, and all else is train."""

    def load(self, dataset: DatasetRef, part: Literal["all"] | SnapshotPart) -> pd.DataFrame:
        """The rows of a part, or all, as they were saved.
        Raises ``DataRefused`` where the object's hash is no longer its version's."""

    def schema(self, uri: str) -> Mapping[str, str] | None:
        """Column to type of the snapshot at this URI, without reading its rows; None where it is gone."""

    def save_frame(self, key: str, frame: pd.DataFrame) -> str:
        """Keep any frame under a key; its URI."""

    def load_frame(self, uri: str) -> pd.DataFrame:
        """A frame kept by ``save`` or ``save_frame``."""


class Checker(Protocol):
    """Runs expectations on a frame."""

    def check(self, frame: pd.DataFrame, expectations: Sequence[Expectation]) -> list[CheckedExpectation]:
        """One result per expectation, in order. Raises ``DataRefused`` for an unknown type."""


class Trainer(Protocol):
    """Turns rows into a fitted estimator."""

    def fit(
        self,
        features: pd.DataFrame,
        label: pd.Series,
        params: Mapping[str, Any],
        seed: int,
        *,
        texts: Sequence[str] = (),
    ) -> Any:
        """A fitted estimator with ``predict`` (and ``predict_proba`` for classification). ``texts`` names
        the columns that hold prose, not categories; they have no missing values.
        Raises ``TrainingFailed`` with the cause."""

    def code_version(self) -> str:
        """What identifies the training code: other code, another version."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known of scored rows beside label and prediction: ``rows`` for the metrics that read columns,
    and ``groups``, of which rows of one are not independent (and one query, in a ranking). Both line by line.
    """

    rows: pd.DataFrame | None = None
    groups: Any = None

    @classmethod
    def of(cls, rows: pd.DataFrame, group: str | None) -> Beside:
        """The rows, and their groups where the column is there."""
        return cls(rows, rows[group] if group is not None and group in rows else None)


NOTHING = Beside()


class Study(Protocol):
    """One hyperparameter search, shared by workers in many processes. What is told to it survives them."""

    def begin(self, worker: int, first: Sequence[Mapping[str, Any]]) -> None:
        """Ready for a worker, perhaps on a retry. Trials that its earlier try left running are lost, and
        their parameters are next. ``first`` are parameters to begin an empty study with; what lies outside
        the space is left out."""

    def ask(self, worker: int, budget: Budget, now: datetime) -> Trial | None:
        """The next trial, which is the worker's; None where the budget is spent."""

    def report(self, number: int, value: float, now: datetime) -> bool:
        """The metric of the trial's next fold. Whether the trial is not worth another fold."""

    def tell(self, number: int, state: TrialState, reason: str = "") -> Trial:
        """How the trial ended, once: what it was ended with before stays."""

    def trials(self) -> list[Trial]:
        """Every trial that has begun, in order."""

    def importances(self) -> dict[str, float]:
        """How much of the metric's variation each parameter explains, adding up to 1; empty where there are
        too few trials to tell."""

    def remembered(self, name: str, make: Callable[[], str]) -> str:
        """A value that all workers share: the first of them makes it."""


class Metrics(Protocol):
    """Scores predictions, with confidence intervals. A metric is named as in ``evaluation.metrics``.

    Equal input gives equal output, intervals included. All raise ``DataRefused`` where a metric is undefined
    (one class only, a column that is not there), and ``TrainingFailed`` where a user's metric raises.
    """

    def score(
        self,
        metrics: Sequence[str],
        label: Any,
        prediction: Any,
        confidence: float,
        *,
        beside: Beside = NOTHING,
    ) -> dict[str, Estimate]:
        """Each metric's estimate."""

    def difference(
        self,
        metrics: Sequence[str],
        label: Any,
        challenger: Any,
        champion: Any,
        confidence: float,
        *,
        beside: Beside = NOTHING,
    ) -> dict[str, Estimate]:
        """Challenger minus champion, paired by row."""

    def direction(self, metric: str) -> Direction:
        """Whether more or less of it is better."""

    def test(
        self,
        metric: str,
        label: Any,
        prediction: Any,
        bound: float,
        *,
        against: Any = None,
        beside: Beside = NOTHING,
    ) -> Sided:
        """One-sided p-values of the metric's true value and ``bound`` or, with ``against``, of the true
        difference (prediction minus against) and ``bound``. They belong to the intervals above: an end beyond
        the bound at 95 % goes with a p-value under 0.025."""


ANSWERS_FILE = "training_answers.json"
"""Of a training run: ``rows`` and the ``answers`` to them, before the model was saved."""
WARNINGS_FILE = "training_warnings.json"
"""Of a training run: what it warned of not having converged, a list of texts."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What a model's columns are called. ``features`` says of each whether it is numeric or categorical,
    ``group`` names what rows belong together by, if anything."""

    features: Mapping[str, ColumnKind]
    label: str
    key: str
    time: str
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Material:
    """What the measurement of a gate may look at: the evaluation's rows, answers and models.

    ``run_id`` is the training run. ``holdout`` has every column of the snapshot, ``answers`` are the
    challenger's on it, as ``predict`` gives them, in the same order; ``champion`` and ``champion_answers``
    are None where there is nobody to compare with. ``training`` reads the rows that the challenger was
    trained on. ``former`` loads the version that was champion at a moment, None if there was none. ``seed``
    makes what is drawn at random the same on a retry. A binary answer counts as positive from
    ``decision_threshold`` on.
    """

    model_name: str
    task: TaskKind
    columns: Columns
    confidence: float
    seed: int
    holdout: pd.DataFrame
    answers: Any
    model: LoadedModel
    model_uri: str
    trusted_types: Sequence[str]
    metrics: Metrics
    tracking: Tracking
    training: Callable[[], pd.DataFrame]
    former: Callable[[datetime], LoadedModel | None]
    champion: LoadedModel | None = None
    champion_answers: Any = None
    decision_threshold: float = 0.5
    run_id: str = ""
    cross_validation: CrossValidation | None = None

    @property
    def features(self) -> pd.DataFrame:
        """The holdout's features alone."""
        return self.holdout[list(self.columns.features)]

    @property
    def label(self) -> pd.Series:
        """The holdout's labels."""
        return self.holdout[self.columns.label]


class GateMeasure(Protocol):
    """Measures what one type of gate judges; a plain function is one."""

    def __call__(self, settings: Mapping[str, Any], material: Material) -> Finding:
        """``settings`` is the rule as the YAML has it, all defaults filled in; the caller fills in the
        finding's ``rule``. Raises ``DataRefused``, ``ModelRefused`` or ``TrainingFailed`` where it cannot be
        measured, which is inconclusive."""


class Explainer(Protocol):
    """Says how much a model leans on each feature; a plain function is one."""

    def __call__(self, settings: Mapping[str, Any], material: Material) -> tuple[Importance, ...]:
        """For all rows and for each slice that ``settings`` names, most important first."""


@dataclass(frozen=True, slots=True)
class DriftResult:
    """Per-column scores and the method's own HTML page."""

    columns: tuple[ColumnDrift, ...]
    html: bytes


class DriftDetector(Protocol):
    """Compares two frames column by column."""

    def compare(
        self,
        reference: pd.DataFrame,
        current: pd.DataFrame,
        columns: Mapping[str, ColumnKind],
        *,
        method: str,
        threshold: float,
        share: float,
        sample_rows: int,
    ) -> DriftResult:
        """Scores of every column; both frames sampled to at most ``sample_rows``. ``share`` (of drifted
        columns that makes the data drifted) is for the page, which must not contradict the verdict."""


class LoadedModel(Protocol):
    """A model in memory."""

    def predict(self, features: pd.DataFrame) -> Any:
        """Per row: the probability of the positive class (binary), the class probabilities as an array
        (multiclass), or the value (all other tasks)."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A saved model: what MLflow's ``MLmodel`` says of it, and its skops file. Whoever hands it over has held
    both against the hashes that were recorded when it was logged."""

    description: bytes
    body: bytes


class Tracking(Protocol):
    """Runs, models and the registry. All raise ``BackendUnavailable`` when the server is away."""

    def log_training(
        self,
        *,
        experiment: str,
        run_name: str,
        run_key: str,
        estimator: Any,
        input_example: pd.DataFrame,
        task: TaskKind,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        dataset_uri: str,
        dataset_version: str,
        trusted_types: Sequence[str],
        files: Mapping[str, bytes] = MappingProxyType({}),
        texts: Sequence[str] = (),
    ) -> RunRef:
        """Log a model whole, with ``files`` beside it under their paths; a run that an earlier try with the
        same ``run_key`` left behind is reused as it is when finished and marked killed when not. ``texts``
        are the columns that hold prose: the model's signature tells them from categories."""

    def begin_search(
        self, *, experiment: str, run_name: str, run_key: str, tags: Mapping[str, str]
    ) -> SearchRun:
        """The run of a hyperparameter search; the same run when called again with the same ``run_key``. Not
        for two callers at once."""

    def log_trial(self, search: SearchRun, trial: Trial, *, metric: str) -> None:
        """A finished trial as a run nested in the search's: parameters, the metric of each fold, their mean,
        and its state. Nothing happens if the trial is there already."""

    def end_search(
        self, search: SearchRun, *, params: Mapping[str, Any], metrics: Mapping[str, float], failed: bool
    ) -> None:
        """Close the search's run with what it found."""

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Add metrics to a run."""

    def log_file(self, run_id: str, path: str, body: bytes) -> None:
        """Attach a file to a run under ``path``."""

    def read_file(self, run_id: str, path: str) -> bytes:
        """A file of a run. Raises ``KeyError`` if there is none."""

    def load(self, model_uri: str, *, trusted_types: Sequence[str] = ()) -> LoadedModel:
        """Load ``models:/name/version`` or a run's model. Raises ``ModelRefused`` when it cannot be."""

    def files_of(self, model_uri: str) -> ModelFiles:
        """A model's files as they were logged, for a process that is to load it. Raises ``ModelRefused``
        where they are not there or were changed."""

    def register(self, name: str, run: RunRef, tags: Mapping[str, str]) -> ModelRef:
        """A version for this run; the same version when called again for the same run."""

    def alias(self, name: str, alias: str) -> ModelRef | None:
        """The version an alias points to, or None."""

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias at a version, and read it back."""

    def drop_alias(self, name: str, alias: str) -> None:
        """Remove an alias; nothing happens if there is none."""

    def run_of(self, model: ModelRef) -> RunRef:
        """The training run behind a version."""

    def tags_of(self, run_id: str) -> dict[str, str]:
        """A run's tags."""

    def set_tags(self, model: ModelRef, tags: Mapping[str, str]) -> None:
        """Set tags on a version; nothing happens if there is none: a rollout does not fail for a note on a
        version that was deleted."""

    def describe(self, model: ModelRef, text: str) -> None:
        """Write a version's description (Markdown), replacing what was there; too long a one is cut."""


class ServingTarget(Protocol):
    """Where a model answers requests. Every change is idempotent and read back."""

    def traffic(self) -> Traffic:
        """What is being served, as the target says."""

    def smoke(self, candidate: ModelRef, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Load the candidate beside the champion and predict these rows with it, off the live path.
        Raises ``ModelRefused`` with the target's reason."""

    def set_traffic(self, rollout_id: str, candidate: ModelRef, *, mode: str, weight: float) -> Traffic:
        """``mode`` is ``shadow`` or ``canary``. Raises ``RolloutRefused`` if another rollout is open."""

    def observe(self, rollout_id: str) -> Observation:
        """What was seen since the last ``set_traffic`` that changed something."""

    def promote(self, rollout_id: str, candidate: ModelRef) -> Traffic:
        """All traffic to the candidate, which becomes the champion there; the rollout is closed."""

    def roll_back(self, rollout_id: str) -> Traffic:
        """All traffic to the champion; the rollout is closed. Nothing happens if it is not open."""


class InferenceLog(Protocol):
    """What the endpoint answered: one row per prediction."""

    def read(self, model: str, window: Window, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Rows with event time in the window. Always has ``request_id``, ``key``, ``event_time``,
        ``received_at``, ``version``, ``role``, ``prediction`` and the features."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the backends of a run are. Secrets are filled in by the hooks and never written to a file."""

    store: str
    tracking: str | None = None
    tracking_token: str | None = None
    serving: str | None = None
    serving_token: str | None = None


class Backends(Protocol):
    """What a step is handed; each is connected at its first use."""

    @property
    def store(self) -> ObjectStore: ...

    @property
    def datasets(self) -> Datasets: ...

    @property
    def ledger(self) -> LedgerStore: ...

    @property
    def tracking(self) -> Tracking: ...

    @property
    def serving(self) -> ServingTarget: ...

    @property
    def inference_log(self) -> InferenceLog: ...

    def data_source(self, type_: str, settings: Mapping[str, Any]) -> DataSource: ...

    def trainer(self, type_: str, path: str) -> Trainer: ...

    def study(self, key: str, plan: SearchPlan) -> Study: ...

    def checker(self) -> Checker: ...

    def metrics(self, task: TaskKind, scoring: Scoring = AS_IT_IS) -> Metrics: ...

    def gate_measure(self, type_: str) -> GateMeasure: ...

    def explainer(self, method: str) -> Explainer: ...

    def drift_detector(self) -> DriftDetector: ...
