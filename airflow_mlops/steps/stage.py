"""Stages of a rollout, shadow and canary: open one, look at it, record its verdict."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core import analysis as rules
from airflow_mlops.core.ledger import EntryKind
from airflow_mlops.core.values import Verdict
from airflow_mlops.core.windows import Period
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import StageOpened, StageRequest


def open_stage(request: StageRequest, backends: Backends) -> StageOpened:
    """Set the traffic of this stage and read it back; nothing changes where it is set already."""
    traffic = backends.serving.set_traffic(
        request.rollout.id, request.rollout.candidate, mode=request.mode, weight=request.weight
    )
    return StageOpened(rollout=request.rollout, traffic=traffic)


def judge_stage(request: StageRequest, backends: Backends) -> Verdict:
    """One look at what the endpoint saw; a final verdict is recorded. Inconclusive means look again."""
    observation = backends.serving.observe(request.rollout.id)
    verdict = rules.judge_stage(
        observation, _limits(request), mode=request.mode, weight=request.weight, now=request.run.now
    )
    if verdict.outcome != "inconclusive":
        record_stage(request, verdict, backends)
    return verdict


def record_stage(request: StageRequest, verdict: Verdict, backends: Backends) -> None:
    """Write a stage's final verdict to the ledger."""
    kind: EntryKind = "shadowed" if request.mode == "shadow" else "canary_step"
    version = request.rollout.candidate.version
    backends.ledger.append(
        entry(
            request.config,
            request.run,
            kind,
            version,
            stage=str(request.weight),
            version=version,
            reasons=verdict.reasons,
            data={"outcome": verdict.outcome, "weight": request.weight},
        )
    )


def _limits(request: StageRequest) -> rules.StageLimits:
    deploy = request.config.deploy
    stage = deploy.shadow if request.mode == "shadow" else deploy.analysis
    return rules.StageLimits(
        minimum_requests=stage.minimum_requests,
        max_error_rate=deploy.analysis.errors.max_rate,
        max_latency_ratio=deploy.analysis.latency.max_ratio,
        max_disagreement=deploy.shadow.max_disagreement,
        minimum_duration=Period.parse(stage.minimum_duration) if stage.minimum_duration else None,
    )
