"""What the steps ask of the outside world. Each Protocol has one contract suite in ``tests/contracts``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from airflow_mlops.backends.material import Explainer, GateMeasure
from airflow_mlops.backends.predictions import Predictions
from airflow_mlops.backends.prometheus_endpoint import PrometheusEndpoint
from airflow_mlops.backends.scoring import Metrics
from airflow_mlops.backends.shift.measure import TogetherMeasure
from airflow_mlops.backends.study import Study
from airflow_mlops.backends.tracking import Tracking
from airflow_mlops.core.drift import Comparison, DriftPlan, DriftVerdict
from airflow_mlops.core.faults.summary import Reference, TableSummary
from airflow_mlops.core.ledger import Entry, EntryKind
from airflow_mlops.core.metrics import AS_IT_IS, Scoring
from airflow_mlops.core.tuning import SearchPlan
from airflow_mlops.core.values import (
    CheckedExpectation,
    ColumnDrift,
    ColumnKind,
    DatasetRef,
    Deployment,
    Expectation,
    ModelRef,
    Observation,
    SnapshotPart,
    TaskKind,
    Traffic,
)
from airflow_mlops.core.windows import Period, Window

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from airflow_mlops.backends.drift.rows import ParquetRows
    from airflow_mlops.backends.drift.sample import Sampler
    from airflow_mlops.backends.prometheus import Prometheus


class ObjectStore(Protocol):
    """Named bytes. Keys are relative, with ``/`` between parts. All raise ``StoreUnavailable``."""

    def put(self, key: str, body: bytes) -> str:
        """Write whole or not at all, replacing what was there; the object's URI."""

    def put_new(self, key: str, body: bytes) -> bool:
        """Write whole if the key is free; False, and nothing written, if it is taken. Atomic."""

    def exclusive(self, key: str) -> AbstractContextManager[None]:
        """The only one to hold this key, or the folder of this name, for a block. Raises
        ``StoreUnavailable`` at once where another process holds it; one that is killed lets go."""

    def writing(self, key: str) -> AbstractContextManager[Path]:
        """A local file to write an object of any size to: it is there, whole, replacing what was, when the
        block ends, and not at all where the block raises. For one writer at a time: see ``exclusive``."""

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

    def entries(self, model: str, kinds: Collection[EntryKind] | None = None) -> list[Entry]:
        """Every entry of a model, oldest first; only those of some ``kinds``, and then no others are read."""


class DataSource(Protocol):
    """Where rows come from."""

    def read(self, window: Window, *, time_column: str, columns: Sequence[str]) -> pd.DataFrame:
        """Rows with ``window.start <= time_column < window.end``, exactly these columns, ordered by time.

        Raises ``DataRefused`` that names missing columns or a time column of the wrong type;
        an empty frame where there are no rows.
        """


@runtime_checkable
class ChunkedSource(Protocol):
    """A source that need not hold a window's rows in memory all at once; a ``DataSource`` may be one too."""

    def read_chunks(
        self,
        window: Window,
        *,
        time_column: str,
        columns: Sequence[str],
        rows: int,
        period: Period | None = None,
    ) -> Iterator[pd.DataFrame]:
        """What ``read`` gives, in pieces of about ``rows`` and in any order; at least one piece, if an empty
        one. ``period`` is how much time to ask for at once where the source itself knows no pieces."""


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

    def extent(self, uri: str) -> tuple[int, Window] | None:
        """How many rows the snapshot at this URI has, and of which window; None where that is not known."""

    def proven_file(self, dataset: DatasetRef) -> Path:
        """The snapshot as a local Parquet file, for those who need not hold all rows; proven as by ``load``.
        It has a column more, ``PART_COLUMN``, where the time alone does not tell a row's part."""

    def save_frame(self, key: str, frame: pd.DataFrame) -> str:
        """Keep any frame under a key; its URI."""

    def load_frame(self, uri: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """A frame kept by ``save`` or ``save_frame``, or some of its columns.
        Raises ``DataRefused`` where it is gone, or has no such column."""

    def file(self, uri: str) -> Path:
        """The Parquet file of a frame, for those who do not want all of it in memory; a snapshot's has a
        column more, ``PART_COLUMN``, where the time does not tell the parts apart. Raises ``DataRefused``
        where it is gone."""


class Checker(Protocol):
    """Runs expectations on a frame in memory."""

    def check(self, frame: pd.DataFrame, expectations: Sequence[Expectation]) -> list[CheckedExpectation]:
        """One result per expectation, in order. Raises ``DataRefused`` for an unknown type."""


@dataclass(frozen=True, slots=True)
class ShownRows:
    """A few rows for a report: raw values, which no message shows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What became of a file's expectations. ``at_fault`` has a few of the rows at fault, by an expectation's
    place."""

    rows: int
    expectations: tuple[CheckedExpectation, ...]
    at_fault: Mapping[int, ShownRows] = field(default_factory=dict)


class FileChecker(Protocol):
    """Runs expectations on a Parquet file, without holding its rows in memory."""

    def check_file(self, path: Path, expectations: Sequence[Expectation]) -> CheckedFile:
        """One result per expectation, in order. Raises ``DataRefused`` for an unknown type, or a file that is
        no Parquet."""

    def columns(self, path: Path) -> list[str]:
        """The names of a file's columns, a snapshot's own left out."""


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


class DriftDetector(Protocol):
    """Compares rows in Parquet with a reference that it need not read again."""

    @property
    def profile_format(self) -> str:
        """Part of a kept profile's name: another one in each release that cannot read what came before."""

    def profile(self, reference: ParquetRows, plan: DriftPlan) -> bytes:
        """All that a comparison needs of the reference, as a file to be kept. Raises ``DataRefused`` where a
        column is missing or there are no rows."""

    def compare(
        self, profile: bytes, current: ParquetRows, plan: DriftPlan, sampler: Sampler | None = None
    ) -> Comparison:
        """How far each column moved, overall and in each slice, by one pass over the rows in bounded memory;
        ``sampler`` is shown each batch of it. Raises ``DataRefused`` as ``profile`` does."""


class DriftPage(Protocol):
    """Draws what a comparison found."""

    def page(
        self,
        reference: pa.Table,
        current: pa.Table,
        looks: Sequence[ColumnDrift],
        kinds: Mapping[str, ColumnKind],
        verdict: DriftVerdict,
        share: float,
    ) -> bytes:
        """An HTML page of samples of both sides, which must not contradict looks and verdict."""


class FaultSummaries(Protocol):
    """Sums up kept rows for ``core.faults``: no value of a row is in what it gives."""

    def window(
        self,
        uri: str,
        kinds: Mapping[str, ColumnKind],
        *,
        time: str,
        key: str,
        salt: str,
        after: float | None = None,
    ) -> TableSummary:
        """Of the rows kept at a URI, or of those later than ``after``, in seconds since 1970. ``salt`` is
        for the hashes. Raises ``DataRefused`` where the rows are gone."""

    def reference(
        self,
        uri: str,
        kinds: Mapping[str, ColumnKind],
        *,
        time: str,
        key: str,
        salt: str,
        length_seconds: float,
        keep: bool = True,
    ) -> Reference:
        """Of a snapshot, and of its newest stretches of this length; none where it has no such times. What is
        to be kept is found by the next that asks the same. Raises ``DataRefused`` where it is gone."""


class ServingTarget(Protocol):
    """Where a model answers requests. Every change is idempotent and read back.

    A part of a catalog (``serving.NAME``) is made from a ``ServingEndpoint``. A change that takes its time
    is waited for within the call; one that does not settle raises ``BackendUnavailable``, and the same call
    goes on where it was. All raise ``BackendUnavailable`` where the target is away.
    """

    def traffic(self) -> Traffic:
        """What is being served, as the target says. It names a rollout also where a version was only brought
        up for it, and something must be taken down again: ``roll_back`` does that."""

    def deploy(self, rollout_id: str, candidate: ModelRef) -> Deployment:
        """Bring the candidate up beside the champion, without a row of traffic, or say how far that is.
        It does not wait: it is called until it is ready. Raises ``ModelRefused`` with the target's reason
        where the version will never be, ``RolloutRefused`` if another rollout is open."""

    def smoke(self, candidate: ModelRef, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Load the candidate beside the champion and predict these rows with it, off the live path.
        Raises ``ModelRefused`` with the target's reason."""

    def set_traffic(self, rollout_id: str, candidate: ModelRef, *, mode: str, weight: float) -> Traffic:
        """``mode`` is ``shadow`` or ``canary``; a ``weight`` of 1 leaves the champion without a row, ready
        for the way back. Raises ``RolloutRefused`` if another rollout is open."""

    def observe(self, rollout_id: str) -> Observation:
        """What was seen since the last ``set_traffic`` that changed something."""

    def promote(self, rollout_id: str, candidate: ModelRef) -> Traffic:
        """All traffic to the candidate, which becomes the champion there; the rollout is closed. Also without
        a rollout, for a first model and for an earlier champion that is put back."""

    def roll_back(self, rollout_id: str) -> Traffic:
        """All traffic to the champion; the rollout is closed. Nothing happens if it is not open."""


class InferenceLog(Protocol):
    """What the endpoint answered: one row per prediction."""

    def read(self, model: str, window: Window, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Rows with event time in the window. Always has ``request_id``, ``key``, ``event_time``,
        ``received_at``, ``version``, ``role``, ``prediction`` and the features."""

    def keep_answers(self, model: str, window: Window, file: Path) -> int:
        """Write the answers of a window that somebody saw (no shadow's, no errors) to one Parquet file with
        the columns of ``read``, and say how many they are. Memory stays bounded, whatever the window holds:
        the rows are by event time where they are few, else nearly so."""

    def of_rollout(
        self, model: str, rollout_id: str, since: datetime, columns: Sequence[str] = ()
    ) -> pd.DataFrame:
        """Rows of one rollout, received since a moment and in that order, whatever their event time. Has the
        log's own columns, and ``columns``."""


@dataclass(frozen=True, slots=True)
class ServingEndpoint:
    """One model's serving target: its ``deploy.target``, and what the Airflow connection adds to it.

    ``settings`` are the target's own keys of the YAML; ``extra`` are the connection's, secrets among them.
    """

    type: str
    model: str
    url: str | None = None
    token: str | None = field(default=None, repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the backends of a run are. Secrets are filled in by the hooks and never written to a file.

    ``inference_log`` is the model server's ``--log``, where it has one. ``prometheus`` is by the id of the
    Airflow connection that the YAML names.
    """

    store: str
    tracking: str | None = None
    tracking_token: str | None = None
    serving: ServingEndpoint | None = None
    inference_log: str | None = None
    prometheus: Mapping[str, PrometheusEndpoint] = field(default_factory=dict)


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

    @property
    def predictions(self) -> Predictions: ...

    def data_source(self, type_: str, settings: Mapping[str, Any]) -> DataSource: ...

    def trainer(self, type_: str, path: str) -> Trainer: ...

    def study(self, key: str, plan: SearchPlan) -> Study: ...

    def checker(self) -> Checker: ...

    def file_checker(self) -> FileChecker: ...

    def metrics(self, task: TaskKind, scoring: Scoring = AS_IT_IS) -> Metrics: ...

    def gate_measure(self, type_: str) -> GateMeasure: ...

    def explainer(self, method: str) -> Explainer: ...

    def drift_detector(self) -> DriftDetector: ...

    def drift_page(self) -> DriftPage: ...

    def multivariate(self, method: str) -> TogetherMeasure: ...

    def fault_summaries(self) -> FaultSummaries: ...

    def prometheus(self, conn_id: str) -> Prometheus: ...
