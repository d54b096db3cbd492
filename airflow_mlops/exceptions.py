"""Every error this package raises on purpose.

    MlopsError
    +-- ConfigError            a YAML file is wrong; carries every problem with its position
    +-- ConfigChanged          the YAML changed while a run was under way
    +-- BundleRefused          a folder, or a version of it, that cannot be a DAG bundle
    +-- DataRefused            the data cannot be trained on; the rows or columns at fault are named
    +-- PreflightFailed        a test of the pipeline failed before anything was trained; the test is named
    +-- TrainingFailed         the user's training code raised or returned nothing usable
    +-- ModelRefused           a model cannot be loaded, served or compared
    +-- RolloutRefused         a traffic change that the state of the rollout does not allow
    +-- TrackingRefused        the tracking server does not grant a request: access, an address, a value
    +-- LedgerDamaged          a file of the ledger is no entry; the message names it
    +-- MissingExtra           an optional library is not installed
    +-- BackendUnavailable     a service is away or answered with a fault (a retry can help)
        +-- StoreUnavailable   the store is full, read-only or unreachable
        +-- NotMeasured        a query that gave no single number: no data, several series, NaN

``retry_can_help`` is read at the operator's edge: False becomes ``AirflowFailException``. ``report`` is the
URI of the page that tells more, where there is one; the failed task's link leads to it.
"""

from __future__ import annotations

__all__ = [
    "BackendUnavailable",
    "BundleRefused",
    "ConfigChanged",
    "ConfigError",
    "DataRefused",
    "LedgerDamaged",
    "MissingExtra",
    "MlopsError",
    "ModelRefused",
    "NotMeasured",
    "PreflightFailed",
    "RolloutRefused",
    "StoreUnavailable",
    "TrackingRefused",
    "TrainingFailed",
]


class MlopsError(Exception):
    """Base of all errors of this package."""

    retry_can_help = False
    report: str | None = None


class ConfigError(MlopsError):
    """One or more problems in a YAML file; ``str()`` shows them all with their positions."""


class ConfigChanged(MlopsError):
    """The YAML is not the one this run started with."""


class BundleRefused(MlopsError):
    """A folder of configurations, or a version of it, that cannot be a DAG bundle."""


class DataRefused(MlopsError):
    """Input data that must not be trained on or served."""


class PreflightFailed(MlopsError):
    """A test of the pipeline failed before anything was trained; the message names it."""

    def __init__(self, message: str, report: str | None = None) -> None:
        super().__init__(message)
        self.report = report


class TrainingFailed(MlopsError):
    """The training code raised, or returned something that cannot predict."""


class ModelRefused(MlopsError):
    """A model that cannot be loaded, served or compared."""


class RolloutRefused(MlopsError):
    """A traffic change that the state of the rollout does not allow."""


class TrackingRefused(MlopsError):
    """The tracking server answers, and does not grant a request."""


class LedgerDamaged(MlopsError):
    """A file of the ledger that was written half, or edited."""


class MissingExtra(MlopsError):
    """An optional library is not installed; the message names the extra."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed. Install it with: pip install 'airflow-mlops[{extra}]'")
        self.library = library
        self.extra = extra


class BackendUnavailable(MlopsError):
    """A service is away or failed; nothing was half-done, a retry can help."""

    retry_can_help = True


class StoreUnavailable(BackendUnavailable):
    """The store is full, read-only or unreachable."""


class NotMeasured(BackendUnavailable):
    """A query was answered, but not by one number."""
