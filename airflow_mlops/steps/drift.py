"""Drift: what the endpoint is asked now, against what the champion was trained and evaluated on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.drift.rows import ParquetRows
from airflow_mlops.backends.drift.sample import Sampler
from airflow_mlops.core.drift import drift_verdict
from airflow_mlops.core.values import Report
from airflow_mlops.exceptions import ModelRefused
from airflow_mlops.steps.arrivals import arrivals
from airflow_mlops.steps.drift_beyond import Samples
from airflow_mlops.steps.drift_plan import drift_plan
from airflow_mlops.steps.drift_reference import Reference
from airflow_mlops.steps.drift_summary import summary_of
from airflow_mlops.steps.drift_whole import whole_report
from airflow_mlops.steps.judged_rows import judged_of
from airflow_mlops.steps.page import page, sentences
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import CollectedRequest, Judged


def drift(request: CollectedRequest, backends: Backends) -> Report:
    """Score every feature that the champion knows, in all rows and in each slice, and keep the page. A signal
    only: the policy decides. Few rows differ from the reference by chance, so a window of too few has not
    drifted.
    """
    settings = request.config.monitor.drift
    reference_uri = _reference_uri(request, backends)
    judged = judged_of(request.config, request.collected)
    everything, current = (
        ParquetRows("current", (backends.datasets.file(uri),)) for uri in (request.collected.uri, judged.uri)
    )
    arrived = arrivals(request, everything.latest("event_time"), reference_uri, backends)
    if judged.rows < settings.minimum_rows:
        return _too_few(request, judged, reference_uri, arrived, backends)
    known = set(judged.features) & set(backends.datasets.schema(reference_uri) or judged.features)
    plan = drift_plan(request.config, known & current.names)
    reference = Reference(reference_uri, request.config.model, settings.sample_rows)
    sampler = Sampler([one.column for one in plan.columns], settings.sample_rows)
    found = backends.drift_detector().compare(reference.profile(plan, backends), current, plan, sampler)
    verdict = drift_verdict(found.columns, settings.share)
    kinds = {one.column: one.kind for one in plan.columns}
    drawn = reference.sample(plan, backends), sampler.table()
    return whole_report(
        request,
        found,
        {**summary_of(verdict, found), **arrived, "reference": reference_uri},
        Samples(drawn[0].to_pandas(), drawn[1].to_pandas(), kinds),
        backends.drift_page().page(*drawn, found.columns, kinds, verdict, settings.share),
        backends,
        facts=[*arrived["warnings"], *judged.said, *_unasked(request, known - current.names)],
    )


def _unasked(request: CollectedRequest, columns: Collection[str]) -> list[str]:
    """A champion that was promoted after the window may know a feature that nobody was asked for in it."""
    lacking = [name for name in request.config.data.features if name in columns]
    if not lacking:
        return []
    return [f"not compared, for no row of the window has it: {', '.join(lacking)}"]


def _reference_uri(request: CollectedRequest, backends: Backends) -> str:
    champion = request.collected.champion
    uri = backends.tracking.tags_of(backends.tracking.run_of(champion).run_id).get("mlops.dataset_uri")
    if uri is None:
        raise ModelRefused(
            f"{champion} has no tag mlops.dataset_uri, so there is no reference to compare with; promote a "
            "version that this package trained"
        )
    return uri


def _too_few(
    request: CollectedRequest,
    judged: Judged,
    reference_uri: str,
    arrived: dict[str, Any],
    backends: Backends,
) -> Report:
    said = (
        f"{judged.rows} rows in {request.collected.window}, monitor.drift.minimum_rows asks for "
        f"{request.config.monitor.drift.minimum_rows}: not compared"
    )
    body = page(f"{request.config.model}: drift", sentences(said, *arrived["warnings"], *judged.said))
    return Report(
        kind="drift",
        uri=backends.store.put(report_key(request.run, "drift"), body),
        summary={
            "drifted": False,
            "share": None,
            "reasons": [said],
            "columns": {},
            **arrived,
            "reference": reference_uri,
        },
    )
