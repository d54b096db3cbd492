"""Register: give a model that passed its gates a version, and make it the challenger."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.ledger import Entry, pending_challengers
from airflow_mlops.exceptions import ModelRefused
from airflow_mlops.steps.model_card import make_card, sign_card
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import Registered, RegisterRequest


def register(request: RegisterRequest, backends: Backends) -> Registered:
    """Version, lineage tags, model card, alias ``challenger``, ledger entry; a backfill gets neither alias
    nor rollout, nor the tags of a challenger.

    Every call finds what an earlier try did. Raises ``ModelRefused`` without a passed verdict, unless the
    ledger says that a person overrode it.
    """
    config, run, dataset = request.config, request.run, request.snapshot.dataset
    override = _override(request, backends)
    if not request.verdict.passed and override is None:
        raise ModelRefused(
            f"the gates said {request.verdict.outcome}: {'; '.join(request.verdict.reasons)}; "
            "only a model that passed is registered, or one that a person let through"
        )
    trained = backends.tracking.tags_of(request.training.run_id)
    code_version = trained.get("mlops.code_version", "")
    role = "backfill" if run.kind == "backfill" else "challenger"
    model = backends.tracking.register(
        config.model,
        request.training,
        {
            **(config.tracking.version_tags.challenger if role == "challenger" else {}),
            "mlops.kind": role,
            "mlops.dataset_version": dataset.version,
            "mlops.dataset_uri": dataset.uri,
            "mlops.window": str(dataset.window),
            "mlops.config_digest": run.config_digest or "",
            "mlops.code_version": code_version,
            "mlops.causes": "; ".join(request.snapshot.causes)[:4_000],
            "mlops.cause": ", ".join(request.snapshot.kinds),
            **_override_tags(override),
        },
    )
    card = make_card(request, model, code_version, backends)
    if override is not None:
        sign_card("overridden", override.actor, override.data["reason"], run, request.training, backends)
    backends.ledger.append(
        entry(
            config,
            run,
            "registered",
            model.version,
            version=model.version,
            reasons=override.reasons if override else request.verdict.reasons,
            evidence=(card.uri,),
            window=dataset.window,
            data_version=dataset.version,
            data={
                "role": role,
                "causes": list(request.snapshot.causes),
                "cause_kinds": list(request.snapshot.kinds),
                "training_run": request.training.run_id,
                "training_code": code_version,
                "overridden_by": override.actor if override else None,
            },
        )
    )
    pending = pending_challengers(backends.ledger.entries(config.model))
    if pending and pending[-1].subject == model.version:
        # Else its rollout has been and gone: an old task that is cleared makes nothing a challenger again.
        backends.tracking.set_alias(config.model, "challenger", model.version)
    return Registered(model.name, model.version, model.url, card)


def _override(request: RegisterRequest, backends: Backends) -> Entry | None:
    """The override of this training, which the ledger must know of: a verdict alone names nobody."""
    if request.verdict.passed or request.review is None or not request.review.passed:
        return None
    if request.run.kind == "backfill":
        return None
    entries = backends.ledger.entries(request.config.model)
    subject = request.training.run_id
    found = [item for item in entries if item.kind == "overridden" and item.subject == subject]
    return found[-1] if found else None


def _override_tags(override: Entry | None) -> dict[str, str]:
    if override is None:
        return {}
    return {
        "mlops.overridden_by": override.actor,
        "mlops.override_reason": str(override.data["reason"])[:4_000],
        "mlops.overridden_verdict": str(override.data["verdict"]),
    }
