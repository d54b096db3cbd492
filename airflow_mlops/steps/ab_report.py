"""The report of an A/B test: what both versions answered, what that was worth, and what was decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from math import isfinite
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.proportions import quantile, wilson
from airflow_mlops.core.quality import Landed, QualityLimits, QualityLook, difference, of_arm
from airflow_mlops.core.queries import Reading
from airflow_mlops.core.values import ArmObservation, Estimate, Figure, Observation, Point, Report
from airflow_mlops.steps.figures import figure
from airflow_mlops.steps.kept_looks import kept_quality, kept_readings
from airflow_mlops.steps.page import page, sentences, table
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import AbReportRequest
from airflow_mlops.steps.stage_evidence import quality_limits

_DECIDED = {"pass": "The challenger passed, and is promoted.", "fail": "The champion stays."}


def ab_report(request: AbReportRequest, backends: Backends) -> Report | None:
    """Write the page and sum it up. None for a first model, which was compared with nobody.

    The numbers are those that the verdict was given on: the last look at labels and business metrics, and the
    endpoint's counts, which it keeps until the rollout is concluded.
    """
    config, rollout, stage = request.config, request.rollout, request.stage
    if rollout.champion is None:
        return None
    observation = backends.serving.observe(rollout.id)
    look, readings = kept_quality(stage, backends), kept_readings(stage, backends)
    quality = config.deploy.analysis.quality
    limits = None if quality is None else quality_limits(config, quality)
    body = page(
        f"{config.model}: A/B test",
        sentences(*_in_short(request, observation)),
        table("Verdict", (request.verdict.outcome,), [(reason,) for reason in request.verdict.reasons]),
        _answered(observation),
        *(_quality(look, limits) if look is not None and limits is not None else ()),
        _business(request, readings),
    )
    summary: dict[str, Any] = {
        "outcome": request.verdict.outcome,
        "reasons": list(request.verdict.reasons),
        "rows": {arm.version: arm.rows for arm in _arms(observation).values()},
        "labels": {one.pairing: one.labels for one in look.landed} if look is not None else {},
        "metrics": {name: reading.value for name, reading in readings.items()},
    }
    return Report("ab_test", backends.store.put(report_key(request.run, "ab_test"), body), summary)


def _in_short(request: AbReportRequest, observation: Observation) -> Iterator[str]:
    rollout, data = request.rollout, request.config.data
    yield (
        f"{rollout.candidate} against {rollout.champion}: {100 * request.weight:g} % of the values of "
        f"{data.key} were given to the challenger, and stayed with it."
    )
    if observation.mode != "none":
        lasted = timedelta(seconds=int((request.run.now - observation.since).total_seconds()))
        yield (
            f"From {observation.since.isoformat(timespec='seconds')} to "
            f"{request.run.now.isoformat(timespec='seconds')} ({lasted}, h:mm:ss)."
        )
    else:
        yield "The endpoint has closed the rollout, and no longer tells what it counted."
    yield _DECIDED.get(request.verdict.outcome, "There is no verdict.")


def _arms(observation: Observation) -> Mapping[str, ArmObservation]:
    arms = {"champion": observation.champion, "challenger": observation.challenger}
    return {role: arm for role, arm in arms.items() if arm is not None}


def _answered(observation: Observation) -> str:
    arms = _arms(observation)
    total = sum(arm.rows for arm in arms.values())
    rows = [
        (
            role,
            arm.version,
            arm.rows,
            f"{100 * arm.rows / total:.1f} %" if total else "",
            arm.errors,
            _share(arm.errors, arm.rows),
            _milliseconds(arm.latency_p50_seconds),
            _milliseconds(arm.latency_p99_seconds),
            "" if arm.mean_score is None else f"{arm.mean_score:.4g}",
        )
        for role, arm in arms.items()
    ]
    header = (
        "", "version", "rows", "share", "errors", "error rate (95 %)", "median latency", "p99 latency",
        "mean prediction",
    )  # fmt: skip
    return table("What was answered", header, rows)


def _share(hits: int, rows: int) -> str:
    if not rows:
        return ""
    found = wilson(hits, rows, quantile(0.95))
    return f"{100 * found.value:.3g} % ({100 * found.low:.3g} to {100 * found.high:.3g} %)"


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.1f} ms"


_ON: Mapping[str, str] = {
    "shadow": "in shadow, both on the same rows",
    "split": "in the test, each on its own rows",
}


def _quality(look: QualityLook, limits: QualityLimits) -> Iterator[str]:
    at = look.at.isoformat(timespec="seconds")
    if look.problem is not None:
        yield table("Quality", ("could not be measured",), [(look.problem,)])
        return
    header = ("rows", "answered", "labels", "champion", "challenger", "challenger minus champion")
    yield table(f"Quality: {limits.metric}", header, [_compared(one, limits) for one in look.landed])
    better = "higher" if limits.direction == "higher" else "lower"
    yield sentences(
        f"Labels of {at}. A {better} {limits.metric} is better; the challenger may be worse by "
        f"{limits.margin:g}. All intervals hold at every look together."
    )
    points = [
        Point(_ON[one.pairing], found, rows=one.labels)
        for one in look.landed
        if isfinite((found := difference(one, limits)).low)
    ]
    worst = -limits.margin if limits.direction == "higher" else limits.margin
    side = "below" if limits.direction == "higher" else "above"
    note = f"Challenger minus champion; {side} the dashed line, which is the margin, it is too bad."
    yield figure(Figure("forest", f"Difference of {limits.metric}", tuple(points), worst, note))


def _compared(landed: Landed, limits: QualityLimits) -> tuple[object, ...]:
    return (
        _ON[landed.pairing],
        landed.answered,
        landed.labels,
        _shown(of_arm(landed.champion, limits)),
        _shown(of_arm(landed.challenger, limits)),
        _shown(difference(landed, limits)),
    )


def _shown(estimate: Estimate) -> str:
    if isfinite(estimate.low) and isfinite(estimate.high):
        return str(estimate)
    return f"{estimate.value:z.4f} (too few rows for an interval)"


def _business(request: AbReportRequest, readings: Mapping[str, Reading]) -> str:
    rows = []
    for metric in request.config.deploy.analysis.metrics:
        reading = readings.get(metric.name)
        if reading is None:
            value = "never asked for: too few rows"
        elif reading.value is None:
            value = f"could not be measured: {reading.problem}"
        else:
            value = f"{reading.value:.4g}"
        bounds = ["" if bound is None else f"{bound:g}" for bound in (metric.minimum, metric.maximum)]
        rows.append((metric.name, value, *bounds, metric.query))
    return table("Business metrics", ("metric", "measured", "minimum", "maximum", "query"), rows)
