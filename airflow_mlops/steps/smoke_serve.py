"""Smoke-serve: the server must answer as the model did when it was evaluated, before any user sees it."""

from __future__ import annotations

import json

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.answers import largest_difference
from airflow_mlops.core.values import Verdict
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused
from airflow_mlops.steps.evaluate import SMOKE_FILE
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import RolloutRequest


def smoke_serve(request: RolloutRequest, backends: Backends) -> Verdict:
    """Send the kept holdout rows to the server and compare. A model that cannot be loaded there is a
    failed verdict, not an error: it is rolled back like any other.
    """
    rollout = request.rollout
    kept = json.loads(backends.tracking.read_file(rollout.training.run_id, SMOKE_FILE))
    try:
        deployment = backends.serving.deploy(rollout.id, rollout.candidate)
        if not deployment.ready:
            raise BackendUnavailable(f"{rollout.candidate} is not up yet: {deployment.said}")
        answers = backends.serving.smoke(rollout.candidate, kept["rows"])
    except ModelRefused as error:
        verdict = Verdict("fail", (f"the server refused {rollout.candidate}: {error}",))
    else:
        worst = largest_difference(kept["predictions"], answers)
        said = f"{len(answers)} answers, largest difference from the evaluation {worst:.3g}"
        verdict = Verdict("pass" if worst <= 1e-6 else "fail", (said,))
    backends.ledger.append(
        entry(
            request.config,
            request.run,
            "smoke_served",
            rollout.candidate.version,
            version=rollout.candidate.version,
            reasons=verdict.reasons,
            data={"outcome": verdict.outcome},
        )
    )
    return verdict
