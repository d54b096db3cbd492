"""Drift: what the endpoint is asked now, against what the champion was trained and evaluated on."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.drift import drift_verdict
from airflow_mlops.core.values import Report
from airflow_mlops.exceptions import ModelRefused
from airflow_mlops.steps.page import page, sentences
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import CollectedRequest


def drift(request: CollectedRequest, backends: Backends) -> Report:
    """Score every feature that the champion knows and keep the detector's page. A signal only: the policy
    decides. Few rows differ from the reference by chance, so a window of too few has not drifted.
    """
    config, settings = request.config, request.config.monitor.drift
    tags = backends.tracking.tags_of(backends.tracking.run_of(request.collected.champion).run_id)
    reference_uri = tags.get("mlops.dataset_uri")
    if reference_uri is None:
        raise ModelRefused(
            f"{request.collected.champion} has no tag mlops.dataset_uri, so there is no reference to compare "
            "with; promote a version that this package trained"
        )
    if request.collected.rows < settings.minimum_rows:
        return _too_few(request, reference_uri, backends)
    reference = backends.datasets.load_frame(reference_uri)
    result = backends.drift_detector().compare(
        reference,
        backends.datasets.load_frame(request.collected.uri),
        # What the YAML has gained since then can be compared once a model that knows it serves.
        {name: kind for name, kind in config.data.features.items() if name in reference},
        method=settings.method,
        threshold=settings.threshold,
        share=settings.share,
        sample_rows=settings.sample_rows,
    )
    verdict = drift_verdict(result.columns, settings.share)
    uri = backends.store.put(report_key(request.run, "drift"), result.html)
    worst = sorted(result.columns, key=lambda column: column.score, reverse=True)
    return Report(
        kind="drift",
        uri=uri,
        summary={
            "drifted": verdict.drifted,
            "share": verdict.share,
            "reasons": list(verdict.reasons),
            "columns": {column.column: column.score for column in worst[:20]},
            "reference": reference_uri,
        },
    )


def _too_few(request: CollectedRequest, reference_uri: str, backends: Backends) -> Report:
    said = (
        f"{request.collected.rows} rows in {request.collected.window}, monitor.drift.minimum_rows asks for "
        f"{request.config.monitor.drift.minimum_rows}: not compared"
    )
    uri = backends.store.put(
        report_key(request.run, "drift"), page(f"{request.config.model}: drift", sentences(said))
    )
    return Report(
        kind="drift",
        uri=uri,
        summary={
            "drifted": False,
            "share": None,
            "reasons": [said],
            "columns": {},
            "reference": reference_uri,
        },
    )
