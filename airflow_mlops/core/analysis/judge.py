"""One look at a stage: pass, fail, or look again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from airflow_mlops.core.analysis.counts import StageCounts
from airflow_mlops.core.analysis.disagreement import judge_disagreement
from airflow_mlops.core.analysis.errors import judge_errors
from airflow_mlops.core.analysis.latency import judge_latency
from airflow_mlops.core.analysis.limits import StageLimits
from airflow_mlops.core.analysis.split import judge_split
from airflow_mlops.core.gates import settle
from airflow_mlops.core.values import Observation, RolloutMode, Verdict
from airflow_mlops.core.windows import Period


def judge_stage(
    observation: Observation,
    limits: StageLimits,
    *,
    mode: RolloutMode | None = None,
    weight: float | None = None,
    now: datetime | None = None,
    earlier: Sequence[StageCounts] = (),
) -> Verdict:
    """One look at a stage, at ``now``; inconclusive means look again.

    ``mode`` and ``weight`` name the stage that was asked for. An endpoint found in another one fails it,
    since somebody else moved the traffic and the numbers are not of this stage. ``earlier`` are the counts
    of the rollout's stages before this one.

    Every proof may be looked for after every row: one of harm without cause is made in at most
    ``limits.false_alarm_rate`` of the rollouts. Proven errors and a proven wrong split fail at once, however
    few rows there are. All else waits for ``minimum_requests``, and for ``minimum_duration`` (without
    ``now`` no time has passed) but for a slow canary, since somebody waits for its answers. While the rows
    speak rather for harm than against it, the stage is held, so that it lasts as many rows as its verdict
    takes. A pass says that nothing speaks for harm after the rows that were asked for, and no more.
    """
    routing = _routing_fault(observation, mode, weight)
    if routing is not None:
        return Verdict("fail", (routing,))
    challenger = observation.challenger
    if challenger is None:
        return Verdict("inconclusive", (_too_few(0, limits.minimum_requests),))
    errors, split = judge_errors(observation, limits, earlier), judge_split(observation, limits)
    at_once = [part for part in (split, errors) if part is not None and part.outcome == "fail"]
    if at_once:
        return settle(at_once)
    if challenger.rows < limits.minimum_requests:
        return Verdict("inconclusive", (_too_few(challenger.rows, limits.minimum_requests),))
    latency = judge_latency(observation, limits)
    if observation.mode == "canary" and latency.outcome == "fail":
        return latency
    if (early := _too_early(observation.since, limits.minimum_duration, now)) is not None:
        return Verdict("inconclusive", (early, *errors.reasons))
    parts = [errors, latency, split, judge_disagreement(observation, limits)]
    return settle([part for part in parts if part is not None])


def _routing_fault(observation: Observation, mode: RolloutMode | None, weight: float | None) -> str | None:
    seen = f"{observation.mode} at weight {observation.weight:g}"
    if observation.mode == "none":
        return f"the endpoint has no stage of {observation.rollout_id} open: somebody else moved the traffic"
    if mode is not None and observation.mode != mode:
        return f"the endpoint is in {seen}, not in {mode}: somebody else moved the traffic"
    if weight is not None and abs(observation.weight - weight) > 1e-9:
        return f"the endpoint is in {seen}, not at {weight:g}: somebody else moved the traffic"
    return None


def _too_few(rows: int, minimum: int) -> str:
    return f"{rows} of {minimum} rows, {minimum - rows} more are needed"


def _too_early(since: datetime, minimum: Period | None, now: datetime | None) -> str | None:
    """Why it is too early for a verdict, or None."""
    passed = max(timedelta(0), (now or since) - since)
    if minimum is None or since + passed >= minimum.after(since):
        return None
    return f"open for {timedelta(seconds=int(passed.total_seconds()))} (h:mm:ss) of at least {minimum}"
