"""Why a training run trains: the causes of the policy, for every run, and whether it is held back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.retraining import Cause, History, history_of, let_through
from airflow_mlops.core.values import RunInfo
from airflow_mlops.core.windows import Window
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import Snapshot
from airflow_mlops.steps.retraining_policy import retraining_policy


def causes_of(run: RunInfo, requests: Sequence[Entry], updated: Sequence[str]) -> tuple[Cause, ...]:
    """Every cause of a run, each once: those of the requests that it works off, and what started it."""
    found: set[Cause] = {item.data.get("cause") or "drift" for item in requests}
    if updated:
        found.add("new_data")
    if run.kind == "scheduled":
        found.add("schedule")
    elif run.kind == "manual" and not run.request:
        found.add("by_hand")
    return tuple(cause for cause in get_args(Cause) if cause in found)


def held_back(
    causes: Sequence[Cause], config: ModelConfig, run: RunInfo, window: Window, backends: Backends
) -> bool:
    """Whether the policy skips this run, which is then in the ledger with the reason: only where the YAML
    lists all that started it in ``retraining.hold_back``."""
    policy = retraining_policy(config)
    if not policy.hold_back:
        return False
    history = _without_own(history_of(backends.ledger.entries(config.model)), run)
    reason = let_through(policy, causes, window.end, history, run.now)
    if reason is None:
        return False
    words = " and ".join(causes).replace("_", " ")
    backends.ledger.append(
        entry(
            config,
            run,
            "retrain_refused",
            run.key.run_id,
            reasons=(f"{words}, but {reason}",),
            window=window,
            data={"cause": causes[0]},
        )
    )
    return True


def record_begun(taken: Snapshot, config: ModelConfig, run: RunInfo, backends: Backends) -> None:
    """Write down that a training is under way: it counts for the cool-down, whatever it is for. A backfill's
    versions never serve, so its trainings do not count."""
    if run.kind == "backfill":
        return
    backends.ledger.append(
        entry(
            config,
            run,
            "training_begun",
            run.key.run_id,
            reasons=taken.causes,
            window=taken.dataset.window,
            data_version=taken.dataset.version,
            data={"causes": list(taken.kinds), "requests": list(taken.requests)},
        )
    )


def _without_own(history: History, run: RunInfo) -> History:
    """A retry finds what its own first try wrote."""
    own = (run.key.dag_id, run.key.run_id)
    return replace(history, trainings=tuple(one for one in history.trainings if one.run != own))
