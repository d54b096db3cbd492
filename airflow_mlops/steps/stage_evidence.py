"""What a stage is judged by beyond the endpoint's own counts: labels, business metrics, and a warning."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.deploy_evidence import BusinessMetric, Quality
from airflow_mlops.core import queries
from airflow_mlops.core.gates import settle
from airflow_mlops.core.metrics import MetricSpec
from airflow_mlops.core.predictions import prediction_warning
from airflow_mlops.core.quality import QualityLimits, judge_quality, judge_stickiness
from airflow_mlops.core.values import Observation, Verdict
from airflow_mlops.core.windows import Period
from airflow_mlops.exceptions import BackendUnavailable, NotMeasured
from airflow_mlops.steps.kept_looks import keep_readings, kept_quality, kept_readings
from airflow_mlops.steps.requests import StageRequest
from airflow_mlops.steps.stage_limits import stage_limits


def with_evidence(
    request: StageRequest, observation: Observation, verdict: Verdict, backends: Backends
) -> Verdict:
    """The verdict on the endpoint's counts together with those on labels and business metrics.

    Harm that any of them proves fails the stage. Raises ``NotMeasured`` where something that the file asks
    for could not be measured and nothing failed: what nobody saw is never a pass, whatever
    ``on_inconclusive`` says at the deadline.
    """
    if verdict.outcome == "fail":
        return verdict
    unmeasured: list[str] = []
    parts = [
        verdict,
        *_quality(request, unmeasured, backends),
        *_business(request, observation, unmeasured, backends),
    ]
    settled = settle(parts)
    if unmeasured and settled.outcome != "fail":
        raise NotMeasured("; ".join([*unmeasured, *settled.reasons]))
    return Verdict(settled.outcome, (*settled.reasons, *_warnings(request, observation)))


def is_look_due(request: StageRequest, backends: Backends, now: datetime) -> bool:
    """Whether the labels of this stage are to be looked at again, by ``look_quality``."""
    quality = request.config.deploy.analysis.quality
    if quality is None or request.config.monitor.labels is None:
        return False
    look = kept_quality(request, backends)
    return look is None or Period.parse(quality.look_every).after(look.at) <= now


def quality_limits(config: ModelConfig, quality: Quality) -> QualityLimits:
    """What the YAML says of quality, as its judge takes it. All stages of the rollout share the errors; of
    the false alarms quality has the part of one check."""
    deploy = config.deploy
    item = config.evaluation.item(quality.metric)
    spec = item.spec if item is not None else MetricSpec(quality.metric, metric=quality.metric)
    return QualityLimits(
        metric=quality.metric,
        direction=config.evaluation.direction(quality.metric),
        margin=quality.margin,
        minimum_labels=quality.minimum_labels,
        required=quality.required or deploy.strategy == "ab",
        false_alarm=stage_limits(config, "canary").alpha,
        false_pass=1 - quality.confidence,
        sequences=max(1, deploy.shadows + len(deploy.weights)),
        span=spec.span,
    )


def _quality(request: StageRequest, unmeasured: list[str], backends: Backends) -> Iterator[Verdict]:
    config = request.config
    quality = config.deploy.analysis.quality
    if quality is None:
        return
    look = kept_quality(request, backends)
    if look is not None and look.problem is not None:
        unmeasured.append(f"{quality.metric} could not be measured: {look.problem}")
        return
    yield judge_quality(look.landed if look else (), quality_limits(config, quality))
    if look is not None and config.deploy.strategy == "ab":
        loose = judge_stickiness(look)
        if loose is not None:
            yield loose


def _business(
    request: StageRequest, observation: Observation, unmeasured: list[str], backends: Backends
) -> Iterator[Verdict]:
    analysis, challenger = request.config.deploy.analysis, observation.challenger
    asked = [metric for metric in analysis.metrics if request.mode == "canary" or metric.in_shadow]
    if not asked or challenger is None or challenger.rows < analysis.minimum_requests:
        return
    before = kept_readings(request, backends)
    readings = {
        metric.name: _reading(metric, request, observation, before.get(metric.name), backends)
        for metric in asked
    }
    if readings != before:
        keep_readings(request, readings, backends)
    for metric in asked:
        found = queries.judge_reading(metric.bounds, readings[metric.name])
        if readings[metric.name].value is None:
            unmeasured.extend(found.reasons)
        else:
            yield found


def _reading(
    metric: BusinessMetric,
    request: StageRequest,
    observation: Observation,
    before: queries.Reading | None,
    backends: Backends,
) -> queries.Reading:
    """The kept one until it is time to ask again. Raises ``ConfigError`` for a query that cannot be read."""
    now = request.run.now
    if before is not None and now < Period.parse(metric.look_every).after(before.at):
        return before
    query = queries.filled(metric.query, request.rollout, since=observation.since, now=now)
    try:
        value = backends.prometheus(metric.conn_id).value(query)
    except BackendUnavailable as error:
        return queries.unread(metric.bounds, str(error), before, now)
    return queries.read(metric.bounds, value, before, now)


def _warnings(request: StageRequest, observation: Observation) -> Iterator[str]:
    analysis = request.config.deploy.analysis
    if analysis.predictions is None:
        return
    warning = prediction_warning(
        observation, analysis.predictions.max_psi, minimum_rows=analysis.minimum_requests
    )
    if warning is not None:
        yield warning
