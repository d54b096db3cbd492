"""The model card of a registered version: made at registration, signed by whoever lets it out."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.model_card import ModelCard, Purpose, Signature
from airflow_mlops.core.values import Importance, ModelRef, Report, RunInfo, RunRef
from airflow_mlops.steps.model_card_pages import html, markdown
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import RegisterRequest
from airflow_mlops.steps.run_files import IMPORTANCE_FILE

CARD_FILE = "model_card.json"
HTML_FILE = "model_card.html"
MARKDOWN_FILE = "model_card.md"


def make_card(request: RegisterRequest, version: ModelRef, code_version: str, backends: Backends) -> Report:
    """Write the card of a version that has just been registered, and say where its page is."""
    config, run = request.config, request.run
    card = ModelCard(
        version=version,
        purpose=_purpose(config),
        features=config.data.features,
        label=config.data.label,
        data=request.snapshot.dataset,
        evaluation=request.evaluation,
        verdict=request.verdict,
        importance=_importance(request.training, backends),
        training=request.training,
        pipeline=run.key,
        causes=request.snapshot.causes,
        code_version=code_version,
        config_digest=run.config_digest or "",
        made_at=run.now,
        cause_kinds=request.snapshot.kinds,
        signatures=_signatures(version, request.training, backends),
    )
    return _keep(card, run, backends)


def sign_card(act: str, person: str, reason: str, run: RunInfo, training: RunRef, backends: Backends) -> None:
    """Put a person's word, or the pipeline's, on the card. A version that was registered without a card, by
    an earlier release or by hand, gets none."""
    try:
        body = backends.tracking.read_file(training.run_id, CARD_FILE)
    except KeyError:
        return
    card = TypeAdapter(ModelCard).validate_json(body)
    _keep(card.signed(Signature(act, person, run.now, reason)), run, backends)


def _keep(card: ModelCard, run: RunInfo, backends: Backends) -> Report:
    """With the training run, where MLflow shows it, on the version as its description, and in the store."""
    tracking, run_id = backends.tracking, card.training.run_id
    kept = json.dumps(TypeAdapter(ModelCard).dump_python(card, mode="json"), indent=1)
    tracking.log_file(run_id, CARD_FILE, kept.encode())
    page, text = html(card), markdown(card)
    tracking.log_file(run_id, HTML_FILE, page)
    tracking.log_file(run_id, MARKDOWN_FILE, text.encode())
    tracking.describe(card.version, text)
    uri = backends.store.put(report_key(run, "model_card"), page)
    backends.tracking.set_tags(card.version, {"mlops.model_card": HTML_FILE})
    return Report("model_card", uri, {"version": card.version.version})


def _purpose(config: ModelConfig) -> Purpose:
    said = config.card
    return Purpose(
        description=config.description,
        owner=config.owner,
        task=config.task,
        intended_use=said.intended_use,
        out_of_scope=said.out_of_scope,
        contact=said.contact or config.owner,
        limits=said.limits,
        considerations=said.considerations,
    )


def _importance(training: RunRef, backends: Backends) -> tuple[Importance, ...]:
    body = _file(training, IMPORTANCE_FILE, backends)
    return () if body is None else TypeAdapter(tuple[Importance, ...]).validate_json(body)


def _signatures(version: ModelRef, training: RunRef, backends: Backends) -> tuple[Signature, ...]:
    """Those of the card that an earlier try, or a run that was cleared, has made of this version."""
    body = _file(training, CARD_FILE, backends)
    if body is None:
        return ()
    earlier: Any = TypeAdapter(ModelCard).validate_json(body)
    return earlier.signatures if earlier.version == version else ()


def _file(training: RunRef, path: str, backends: Backends) -> bytes | None:
    try:
        return backends.tracking.read_file(training.run_id, path)
    except KeyError:
        return None
