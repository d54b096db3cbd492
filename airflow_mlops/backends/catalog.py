"""Which class stands behind each name, which libraries it needs, and the backends of a run."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_mlops.backends.base import (
    Backends,
    Checker,
    Datasets,
    DataSource,
    DriftDetector,
    DriftPage,
    Endpoints,
    FaultSummaries,
    FileChecker,
    InferenceLog,
    LedgerStore,
    ObjectStore,
    ServingTarget,
    Trainer,
)
from airflow_mlops.backends.import_path import load_object
from airflow_mlops.backends.material import Explainer, GateMeasure
from airflow_mlops.backends.predictions import Predictions
from airflow_mlops.backends.scoring import Metrics
from airflow_mlops.backends.shift.measure import TogetherMeasure
from airflow_mlops.backends.study import Study
from airflow_mlops.backends.tracking import Tracking
from airflow_mlops.core.metrics import AS_IT_IS, Scoring
from airflow_mlops.core.tuning import SearchPlan
from airflow_mlops.core.values import TaskKind
from airflow_mlops.exceptions import ConfigError, MissingExtra

if TYPE_CHECKING:
    from airflow_mlops.backends.prometheus import Prometheus

ENTRY_POINTS = "airflow_mlops.backends"


@dataclass(frozen=True, slots=True)
class Part:
    """Where a part is, the libraries it imports at its first use, and the extra that installs them."""

    path: str
    libraries: tuple[str, ...] = ()
    extra: str = ""


_HERE = "airflow_mlops.backends"
_DATA = ("pandas", "pyarrow")

PARTS: Mapping[str, Part] = {
    "store.local": Part(f"{_HERE}.store:LocalStore"),
    "ledger.objects": Part(f"{_HERE}.ledger_store:ObjectLedger"),
    "datasets.parquet": Part(f"{_HERE}.datasets_parquet:ParquetDatasets", _DATA, "data"),
    "inference_log.parquet": Part(f"{_HERE}.inference_log:ParquetInferenceLog", _DATA, "data"),
    "predictions.parquet": Part(f"{_HERE}.predictions_parquet:ParquetPredictions", _DATA, "data"),
    "data_source.python": Part(f"{_HERE}.data_python:PythonSource", _DATA, "data"),
    "data_source.parquet": Part(f"{_HERE}.data_parquet:ParquetSource", _DATA, "data"),
    "trainer.callable": Part(f"{_HERE}.trainer_callable:CallableTrainer", ("pandas",), "data"),
    "trainer.estimator": Part(f"{_HERE}.trainer_sklearn:EstimatorTrainer", ("sklearn",), "training"),
    "metrics.influence": Part(f"{_HERE}.metrics_influence:InfluenceMetrics", _DATA, "data"),
    **{
        f"gate.{name}": Part(f"{_HERE}.gates.{name}:measure", _DATA, "data")
        for name in (
            "baseline",
            "convergence",
            "cross_validation",
            "custom",
            "latency",
            "memory",
            "overfitting",
            "robustness",
            "size",
            "skew",
        )
    },
    "explainer.permutation": Part(f"{_HERE}.explaining.permutation:explain", _DATA, "data"),
    "explainer.shap": Part(f"{_HERE}.explaining.shap_values:explain", (*_DATA, "shap"), "shap"),
    "gate.slices": Part(f"{_HERE}.gates.slices:measure", ("pandas", "scipy"), "training"),
    "gate.calibration": Part(f"{_HERE}.gates.calibration:measure", ("pandas", "scipy"), "training"),
    "gate.fairness": Part(f"{_HERE}.gates.fairness:measure", ("fairlearn",), "fairness"),
    "study.optuna": Part(f"{_HERE}.study_optuna:OptunaStudy", ("optuna",), "tuning"),
    "checker.great_expectations": Part(
        f"{_HERE}.checks_gx:GreatExpectationsChecker", ("great_expectations",), "great-expectations"
    ),
    "file_checker.parquet": Part(
        f"{_HERE}.checks_parquet:ParquetChecker", (*_DATA, "duckdb"), "great-expectations"
    ),
    "drift_detector.streaming": Part(
        f"{_HERE}.drift.detector:StreamingDriftDetector", ("pandas", "pyarrow", "scipy"), "training"
    ),
    "drift_page.evidently": Part(f"{_HERE}.drift_evidently:EvidentlyPage", ("evidently",), "evidently"),
    "multivariate.mmd": Part(f"{_HERE}.shift.mmd:measure", _DATA, "data"),
    "multivariate.domain_classifier": Part(
        f"{_HERE}.shift.domain_classifier:measure", ("sklearn",), "training"
    ),
    "fault_summaries.parquet": Part(f"{_HERE}.faults.summaries:ParquetFaultSummaries", _DATA, "data"),
    "tracking.mlflow": Part(f"{_HERE}.tracking_mlflow:MlflowTracking", ("mlflow", "skops"), "mlflow"),
    "serving.embedded": Part(f"{_HERE}.serving_embedded:EmbeddedTarget"),
    "serving.kubernetes": Part(
        f"{_HERE}.serving_kubernetes:KubernetesTarget", ("prometheus_client",), "kubernetes"
    ),
    "serving.kserve": Part(f"{_HERE}.serving_kserve:KServeTarget", ("prometheus_client",), "kubernetes"),
    "serving.sagemaker": Part(f"{_HERE}.serving_sagemaker:SageMakerTarget", ("boto3",), "sagemaker"),
    "serving.batch": Part(f"{_HERE}.serving_batch:BatchTarget", _DATA, "data"),
    "monitoring.prometheus": Part(f"{_HERE}.prometheus:Prometheus"),
}


def load_part(name: str) -> Any:
    """The class (or, for a gate, the function) behind ``role.type``.

    A name that is not ours is looked for among the entry points of the group ``airflow_mlops.backends``
    (only then: the scan reads every installed distribution). Raises ``MissingExtra`` where a library is
    not installed, and ``ConfigError`` with the names there are where nobody provides the part.
    """
    part = PARTS.get(name)
    if part is None:
        return installed_part(name, {one for one in PARTS if one.startswith(f"{_role(name)}.")})
    for library in part.libraries:
        if importlib.util.find_spec(library) is None:
            raise MissingExtra(library, part.extra)
    return load_object(part.path)


def connect(endpoints: Endpoints) -> Backends:
    """The backends of a run. Nothing is opened, imported or asked before its first use."""
    return ConnectedBackends(endpoints)


@dataclass(frozen=True)
class ConnectedBackends:
    """Each backend is made at its first use and kept. Not slotted: ``cached_property`` keeps them here."""

    endpoints: Endpoints

    @cached_property
    def store(self) -> ObjectStore:
        store: ObjectStore = load_part("store.local")(_store_folder(self.endpoints.store))
        return store

    @cached_property
    def datasets(self) -> Datasets:
        datasets: Datasets = load_part("datasets.parquet")(self.store)
        return datasets

    @cached_property
    def ledger(self) -> LedgerStore:
        ledger: LedgerStore = load_part("ledger.objects")(self.store)
        return ledger

    @cached_property
    def inference_log(self) -> InferenceLog:
        log: InferenceLog = load_part("inference_log.parquet")(self.store, self.endpoints.inference_log)
        return log

    @cached_property
    def predictions(self) -> Predictions:
        predictions: Predictions = load_part("predictions.parquet")(self.store, self.endpoints.inference_log)
        return predictions

    @cached_property
    def tracking(self) -> Tracking:
        if self.endpoints.tracking is None:
            raise ConfigError(
                "no tracking server is set; fill in the Airflow connection that tracking.conn_id names"
            )
        tracking: Tracking = load_part("tracking.mlflow")(
            self.endpoints.tracking, token=self.endpoints.tracking_token
        )
        return tracking

    @cached_property
    def serving(self) -> ServingTarget:
        endpoint = self.endpoints.serving
        if endpoint is None:
            raise ConfigError(
                "no serving target is set; fill in the Airflow connection that deploy.target.conn_id names"
            )
        part = load_part(f"serving.{endpoint.type}")
        # SageMaker does not reach the registry: the target takes versions there itself. A batch model has no
        # server at all: its traffic is the registry's alias, and what the store keeps.
        match endpoint.type:
            case "sagemaker":
                wanted: tuple[Any, ...] = (endpoint, self.tracking)
            case "batch":
                wanted = (endpoint, self.store, self.tracking)
            case _:
                wanted = (endpoint,)
        serving: ServingTarget = part(*wanted)
        return serving

    def data_source(self, type_: str, settings: Mapping[str, Any]) -> DataSource:
        """``python`` takes ``callable`` and ``params``; ``parquet`` takes ``path``; a part of another
        package takes the settings as keyword arguments, and the store."""
        part = load_part(f"data_source.{type_}")
        settings = {key: value for key, value in settings.items() if key != "type"}
        if type_ == "python":
            source: DataSource = part(settings["callable"], settings.get("params") or {})
        elif type_ == "parquet":
            source = part(settings["path"], self.store)
        else:
            source = part(**settings, store=self.store)
        return source

    def trainer(self, type_: str, path: str) -> Trainer:
        trainer: Trainer = load_part(f"trainer.{type_}")(path)
        return trainer

    def study(self, key: str, plan: SearchPlan) -> Study:
        """The search whose journal the store keeps under ``key``."""
        part = load_part("study.optuna")
        self.store.put_new(key, b"")
        study: Study = part(self.store.local_path(self.store.uri(key)), plan)
        return study

    def checker(self) -> Checker:
        checker: Checker = load_part("checker.great_expectations")()
        return checker

    def file_checker(self) -> FileChecker:
        checker: FileChecker = load_part("file_checker.parquet")(self.checker())
        return checker

    def metrics(self, task: TaskKind, scoring: Scoring = AS_IT_IS) -> Metrics:
        metrics: Metrics = load_part("metrics.influence")(task, scoring)
        return metrics

    def gate_measure(self, type_: str) -> GateMeasure:
        """What measures for gates of a type."""
        measure: GateMeasure = load_part(f"gate.{type_}")
        return measure

    def explainer(self, method: str) -> Explainer:
        explainer: Explainer = load_part(f"explainer.{method}")
        return explainer

    def drift_detector(self) -> DriftDetector:
        detector: DriftDetector = load_part("drift_detector.streaming")()
        return detector

    def drift_page(self) -> DriftPage:
        page: DriftPage = load_part("drift_page.evidently")()
        return page

    def multivariate(self, method: str) -> TogetherMeasure:
        """What looks at several columns at once."""
        measure: TogetherMeasure = load_part(f"multivariate.{method}")
        return measure

    def fault_summaries(self) -> FaultSummaries:
        summaries: FaultSummaries = load_part("fault_summaries.parquet")(self.store)
        return summaries

    def prometheus(self, conn_id: str) -> Prometheus:
        """The Prometheus of an Airflow connection."""
        endpoint = self.endpoints.prometheus.get(conn_id)
        if endpoint is None:
            raise ConfigError(f"no Prometheus is set; fill in the Airflow connection {conn_id}")
        prometheus: Prometheus = load_part("monitoring.prometheus")(endpoint)
        return prometheus


def _store_folder(store: str) -> Path:
    parts = urlsplit(store)
    if "://" not in store:
        return Path(store)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    raise ConfigError(
        f"the store {store!r} is not supported: [mlops] store takes a folder or a file:// URI. "
        "For a bucket, mount it as a folder that has hard links (NFS, EFS, Filestore)"
    )


def installed_part(name: str, ours: Iterable[str] = ()) -> Any:
    """What the entry point ``name`` of another package loads. Raises ``ConfigError`` with the names there
    are, ``ours`` among them, where nobody provides it."""
    for found in entry_points(group=ENTRY_POINTS, name=name):
        return found.load()
    theirs = {found.name for found in entry_points(group=ENTRY_POINTS)}
    known = sorted({*ours, *(one for one in theirs if one.startswith(f"{_role(name)}."))})
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ConfigError(
        f"nobody provides {name!r}: {hint}There are: {', '.join(known) or 'none'}. Other packages add parts "
        f"by entry points of the group {ENTRY_POINTS}"
    )


def _role(name: str) -> str:
    return name.partition(".")[0]
