"""Made: what a model was made with, to tell whether it would be made otherwise today."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.identity import content_hash
from airflow_mlops.core.retraining import Made
from airflow_mlops.core.values import ModelRef
from airflow_mlops.exceptions import MlopsError

_CODE, _RECIPE, _DATA_END = "mlops.training_code", "mlops.recipe", "mlops.window_end"


def made_today(config: ModelConfig, backends: Backends) -> Made:
    """What a training would use now. The code of a ``training.callable`` only: a library's new version is no
    change that somebody made to this model, and would have every model retrained at once. Code that cannot be
    loaded here is not known here.
    """
    code = None
    if config.training.callable is not None:
        try:
            code = backends.trainer("callable", config.training.callable).code_version()
        except MlopsError:
            code = None
    return Made(code=None if code == "unknown" else code, recipe=recipe_of(config))


def recipe_of(config: ModelConfig) -> str:
    """A digest of the part of the file that makes another model. What is left at its default is left out, so
    that a release of this package which adds a key changes no recipe."""
    parts = {"task", "data", "training", "tuning"}
    return content_hash(config.model_dump(mode="json", include=parts, exclude_defaults=True))


def made_of(champion: ModelRef, backends: Backends) -> Made:
    """What the champion was made with, as its training run says; a run of an earlier release says less."""
    tags = backends.tracking.tags_of(backends.tracking.run_of(champion).run_id)
    end = tags.get(_DATA_END)
    return Made(
        code=tags.get(_CODE) or None,
        recipe=tags.get(_RECIPE) or None,
        data_end=datetime.fromisoformat(end) if end else None,
    )


def made_tags(made: Made) -> Mapping[str, str]:
    """For the training run in MLflow; the window's end is there already."""
    return {_CODE: made.code or "", _RECIPE: made.recipe or ""}


def made_data(made: Made) -> Mapping[str, str | None]:
    """For an entry of the ledger."""
    return {"code": made.code, "recipe": made.recipe}
