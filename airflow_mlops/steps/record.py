"""How a step writes down what it decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.ledger import Entry, EntryKind
from airflow_mlops.core.values import RunInfo
from airflow_mlops.core.windows import Window


def entry(
    config: ModelConfig,
    run: RunInfo,
    kind: EntryKind,
    subject: str,
    *,
    at: datetime | None = None,
    stage: str = "",
    actor: str | None = None,
    version: str | None = None,
    reasons: Sequence[str] = (),
    evidence: Sequence[str] = (),
    window: Window | None = None,
    data_version: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> Entry:
    """An entry of this run, with what every entry carries filled in."""
    return Entry(
        model=config.model,
        kind=kind,
        subject=subject,
        stage=stage,
        at=at or run.now,
        dag_id=run.key.dag_id,
        run_id=run.key.run_id,
        actor=actor or run.actor,
        version=version,
        reasons=tuple(reasons),
        evidence=tuple(evidence),
        window=window,
        data_version=data_version,
        code_version=run.code_version,
        config_digest=run.config_digest,
        data=dict(data or {}),
    )


def record_verdict(item: Entry, backends: Backends) -> Entry:
    """Write a stage's verdict. Where a task that was cleared came to another one, both are kept: an entry's
    place is taken once, and what failed must not be hidden behind what passed before."""
    kept = backends.ledger.append(item)
    if kept.data.get("outcome") == item.data.get("outcome"):
        return kept
    return backends.ledger.append(replace(item, stage=f"{item.stage} at {item.at.isoformat()}".strip()))


def again(question: int) -> str:
    """The stage of an answer: a run that was cleared asks once more, and each answer is an entry."""
    return "" if question == 1 else f"question {question}"


def is_ours(item: Entry, run: RunInfo) -> bool:
    """Whether this run wrote the entry. Runs of two DAGs may have one id, where both start on one date."""
    return (item.dag_id, item.run_id) == (run.key.dag_id, run.key.run_id)


def report_key(run: RunInfo, kind: str) -> str:
    """Where a report of this run is kept in the store; the same on every retry. The DAG's id is in it,
    since who may read the DAG may read the report.
    """
    return f"reports/{run_folder(run)}/{kind}.html"


def run_folder(run: RunInfo) -> str:
    """A folder name of the run's own, below its DAG's."""
    slug = "".join(c if c.isalnum() or c in "-_." else "_" for c in run.key.run_id)
    return f"{run.key.dag_id}/{slug}"
