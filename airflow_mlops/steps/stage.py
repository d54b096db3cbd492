"""Stages of a rollout, shadow and canary: open one, look at it, record its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.core import analysis
from airflow_mlops.core.ledger import Entry, EntryKind
from airflow_mlops.core.standing import stage_name, why_not_open, why_over
from airflow_mlops.core.values import Observation, Verdict
from airflow_mlops.exceptions import BackendUnavailable, RolloutRefused
from airflow_mlops.steps.decided import standing_now
from airflow_mlops.steps.record import entry, record_verdict
from airflow_mlops.steps.requests import StageOpened, StageRequest
from airflow_mlops.steps.stage_evidence import with_evidence
from airflow_mlops.steps.stage_limits import stage_limits

_ROUNDING = 1e-6


def open_stage(request: StageRequest, backends: Backends) -> StageOpened:
    """Set the traffic of this stage and read it back; nothing changes where it is set already.

    A retry of a stage that has failed gets its verdict and moves nothing. Raises ``RolloutRefused`` for a
    stage that was not decided when the rollout was taken, or whose turn it is not, and where the rollout
    has ended: then also if it ended meanwhile, and the target is told so again.
    """
    config, rollout = request.config, request.rollout
    standing = standing_now(config, rollout, backends)
    failed = standing.failed.get(stage_name(request.mode, request.weight))
    if failed is not None and standing.phase == "open":
        return StageOpened(rollout, backends.serving.traffic(), Verdict("fail", (failed,)))
    _refuse(why_not_open(standing, request.mode, request.weight))
    traffic = backends.serving.set_traffic(
        rollout.id, rollout.candidate, mode=request.mode, weight=request.weight
    )
    if ended := why_over(standing_now(config, rollout, backends)):
        backends.serving.roll_back(rollout.id)
        _refuse(ended)
    if traffic.weight > request.weight + _ROUNDING:
        raise BackendUnavailable(
            f"the target was told to give {rollout.candidate} {request.weight:g} of the rows but says "
            f"{traffic.weight:g}; a retry will tell it again"
        )
    return StageOpened(rollout=rollout, traffic=traffic)


def _refuse(reason: str | None) -> None:
    if reason is not None:
        raise RolloutRefused(f"the traffic stays as it is: {reason}")


def judge_stage(
    request: StageRequest, backends: Backends, *, earlier: Sequence[analysis.StageCounts] | None = None
) -> Verdict:
    """One look at what the endpoint saw; a final verdict is recorded. Inconclusive means look again.

    ``earlier`` is what ``earlier_stages`` tells, and is asked of the ledger where it is left out.
    """
    observation = backends.serving.observe(request.rollout.id)
    verdict = analysis.judge_stage(
        observation,
        stage_limits(request.config, request.mode),
        mode=request.mode,
        weight=request.weight,
        now=request.run.now,
        earlier=earlier_stages(request, backends) if earlier is None else earlier,
    )
    verdict = with_evidence(request, observation, verdict, backends)
    if verdict.outcome != "inconclusive":
        record_stage(request, verdict, backends, observation)
    return verdict


def earlier_stages(request: StageRequest, backends: Backends) -> tuple[analysis.StageCounts, ...]:
    """What this rollout's other stages counted, from the ledger: the evidence goes on from there.

    A stage that was cleared may have two verdicts. They are of one stage's rows, so the later one counts.
    """
    version, this = request.rollout.candidate.version, (_kind(request), request.weight)
    found = {
        (item.kind, item.data["weight"]): item.data["counts"]
        for item in backends.ledger.entries(request.config.model)
        if item.kind in ("shadowed", "canary_step") and item.subject == version and item.data.get("counts")
    }
    return tuple(analysis.StageCounts.from_json(counts) for stage, counts in found.items() if stage != this)


def record_stage(
    request: StageRequest, verdict: Verdict, backends: Backends, observation: Observation | None = None
) -> None:
    """Write a stage's final verdict to the ledger, with its counts where the endpoint still tells them."""
    counts = analysis.StageCounts.of(observation or _last_look(request, backends))
    kept = None if counts is None else counts.to_json()
    record_verdict(_entry(request, verdict, str(request.weight), counts=kept), backends)


def record_hold(request: StageRequest, verdict: Verdict, backends: Backends) -> bool:
    """Write down that a stage has no verdict by its deadline and is held; False where that was known."""
    held = _entry(request, verdict, f"{request.weight} held")
    return backends.ledger.append(held).at == held.at


def _entry(request: StageRequest, verdict: Verdict, stage: str, **data: Any) -> Entry:
    version = request.rollout.candidate.version
    return entry(
        request.config,
        request.run,
        _kind(request),
        version,
        stage=stage,
        version=version,
        reasons=verdict.reasons,
        data={"outcome": verdict.outcome, "weight": request.weight, **data},
    )


def _kind(request: StageRequest) -> EntryKind:
    return "shadowed" if request.mode == "shadow" else "canary_step"


def _last_look(request: StageRequest, backends: Backends) -> Observation:
    try:
        return backends.serving.observe(request.rollout.id)
    except BackendUnavailable:
        return Observation(request.rollout.id, "none", 0.0, request.run.now, None, None)
