"""Smoke-serve: the server must answer as the model did when it was evaluated, before any user sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.answers import largest_difference
from airflow_mlops.core.standing import why_not_smoke
from airflow_mlops.core.values import Verdict
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused, RolloutRefused
from airflow_mlops.steps.bring_up import why_late
from airflow_mlops.steps.decided import standing_now
from airflow_mlops.steps.record import entry, record_verdict
from airflow_mlops.steps.requests import RolloutRequest
from airflow_mlops.steps.run_files import SMOKE_FILE


def smoke_serve(request: RolloutRequest, backends: Backends) -> Verdict:
    """Send the kept holdout rows to the server and compare. A model that cannot be loaded there is a
    failed verdict, not an error: it is rolled back like any other, and so is one that has not come up by
    ``deploy.deadline``. Raises ``BackendUnavailable`` while it is still coming up, and ``RolloutRefused``
    where the rollout has ended, or is being promoted.
    """
    rollout = request.rollout
    standing = standing_now(request.config, rollout, backends)
    if ended := why_not_smoke(standing):
        raise RolloutRefused(f"{rollout.candidate} is not brought up again: {ended}")
    kept = json.loads(backends.tracking.read_file(rollout.training.run_id, SMOKE_FILE))
    try:
        deployment = backends.serving.deploy(rollout.id, rollout.candidate)
        if not deployment.ready:
            raise _not_up(request, deployment.said, backends)
        answers = backends.serving.smoke(rollout.candidate, kept["rows"])
    except ModelRefused as error:
        verdict = Verdict("fail", (f"the server refused {rollout.candidate}: {error}",))
    else:
        verdict = compared(kept, answers)
    record_verdict(
        entry(
            request.config,
            request.run,
            "smoke_served",
            rollout.candidate.version,
            version=rollout.candidate.version,
            reasons=verdict.reasons,
            data={"outcome": verdict.outcome},
        ),
        backends,
    )
    return verdict


def _not_up(request: RolloutRequest, said: str, backends: Backends) -> BackendUnavailable | ModelRefused:
    candidate = request.rollout.candidate
    late = why_late(candidate, request.config, request.run, backends)
    if late is None:
        return BackendUnavailable(f"{candidate} is not up yet: {said}")
    return ModelRefused(f"it did not come up {late}: {said}")


def compared(kept: Mapping[str, Any], answers: Sequence[Any]) -> Verdict:
    """The answers to the rows that were kept at the evaluation, held against those of then."""
    worst = largest_difference(kept["predictions"], answers)
    said = f"{len(answers)} answers, largest difference from the evaluation {worst:.3g}"
    return Verdict("pass" if worst <= 1e-6 else "fail", (said,))
