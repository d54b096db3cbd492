"""Evidence: what the tracking server and the ledger know of a challenger."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import TypeAdapter, ValidationError

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.evidence import Evidence
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import Evaluation, ModelRef, RunRef
from airflow_mlops.exceptions import ModelRefused
from airflow_mlops.steps.model_card import HTML_FILE
from airflow_mlops.steps.run_files import EVALUATION_FILE

_ABOUT = frozenset({"gated", "overridden", "registered", "smoke_served", "answer_refused"})


def evidence_of(
    model: str,
    backends: Backends,
    *,
    training: RunRef,
    candidate: ModelRef | None,
    champion: ModelRef | None,
) -> Evidence:
    """Everything there is. Raises ``ModelRefused`` where the run's evaluation cannot be read."""
    entries = backends.ledger.entries(model)
    subjects = {training.run_id, *([candidate.version] if candidate else [])}
    monitored = [entry for entry in entries if entry.kind == "monitored"]
    return Evidence(
        training=training,
        evaluation=_evaluation(training.run_id, backends),
        decided=tuple(_latest(entries, subjects)),
        monitored=monitored[-1] if monitored else None,
        candidate=candidate,
        champion=champion,
        card_url=_card_url(training, backends),
    )


def _latest(entries: Collection[Entry], subjects: Collection[str]) -> list[Entry]:
    """Of several verdicts of one gate (its run was cleared), the last."""
    about = [entry for entry in entries if entry.kind in _ABOUT and entry.subject in subjects]
    gated = [entry for entry in about if entry.kind == "gated"]
    return [entry for entry in about if entry.kind != "gated" or entry is gated[-1]]


def _evaluation(run_id: str, backends: Backends) -> Evaluation | None:
    try:
        body = backends.tracking.read_file(run_id, EVALUATION_FILE)
    except KeyError:
        return None
    try:
        return TypeAdapter(Evaluation).validate_json(body).in_short()
    except ValidationError as error:
        raise ModelRefused(
            f"{EVALUATION_FILE} of run {run_id} is not an evaluation of this release: "
            f"{error.errors(include_url=False)[0]['msg']}. Train a new challenger"
        ) from error


def _card_url(training: RunRef, backends: Backends) -> str | None:
    if training.url is None:
        return None
    try:
        backends.tracking.read_file(training.run_id, HTML_FILE)
    except KeyError:
        return None
    return f"{training.url}/artifacts/{HTML_FILE}"
