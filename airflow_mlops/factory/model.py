"""A model written in Python: the keys of the YAML, checked as a file beside the DAG file would be."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict, Unpack

from airflow.sdk import DAG, get_parsing_context

from airflow_mlops.config.load import LoadedModel, load_document
from airflow_mlops.config.models import API_VERSION
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.written import Spot, document_of, read_values
from airflow_mlops.factory.call_site import call_site, spelled_out
from airflow_mlops.factory.compiled import compiled
from airflow_mlops.factory.load import dags_of
from airflow_mlops.hooks.site import site_of_dag_file

if TYPE_CHECKING:
    from airflow_mlops.config.models import ModelConfig


class ModelKeys(TypedDict, total=False):
    """The keys of ``Model``, for editors and type checkers. What each part holds: docs/reference/yaml.md."""

    apiVersion: Literal["airflow-mlops/v1"]
    model: Required[str]
    description: str
    owner: str
    tags: Sequence[str]
    level: Literal[1, 2, 3]
    task: Required[
        Literal["binary_classification", "multiclass_classification", "regression", "ranking", "forecasting"]
    ]
    schedule: Mapping[str, Any]
    data: Mapping[str, Any]
    validation: Mapping[str, Any]
    preflight: Mapping[str, Any]
    training: Mapping[str, Any]
    tuning: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    gates: Mapping[str, Any]
    card: Mapping[str, Any]
    tracking: Mapping[str, Any]
    deploy: Mapping[str, Any]
    score: Mapping[str, Any]
    monitor: Mapping[str, Any]
    retraining: Mapping[str, Any]
    healing: Mapping[str, Any]
    compute: Mapping[str, Any]
    execution: Mapping[str, Any]
    alerts: Mapping[str, Any]
    vars: Mapping[str, Any]


class Model:
    """A model written in Python: the keys of the YAML as keyword arguments, its parts as mappings.

    ``apiVersion`` may be left out: which language is meant, the installed package tells. A function or class
    may stand where an import path is expected, if a step can import it. Defaults, profile, policy and locks
    of the DAG file's folder hold as for a YAML that lies there. What was given is copied.

    Raises ``InvalidConfig`` with every problem, each with the line of its key in the Python file. Where
    Airflow parses for one task, a model that this task's DAG is not of is checked only when it is used.
    """

    def __init__(self, **keys: Unpack[ModelKeys]) -> None:
        self._written = read_values({"apiVersion": API_VERSION, **keys})
        self._site = call_site(sys._getframe(1))
        self._kept: LoadedModel | None = None
        if self._is_wanted():
            try:
                self._loaded()
            except InvalidConfig as error:
                # Raised here, for Airflow shows two frames of a traceback: the DAG file's, and this.
                raise InvalidConfig(error.problems) from None

    @property
    def config(self) -> ModelConfig:
        """All settings, defaults and layers filled in."""
        return self._loaded().config

    @property
    def digest(self) -> str:
        """The sha256 of what the model says, equal to that of a YAML that says the same."""
        return self._loaded().digest

    def __repr__(self) -> str:
        return f"<Model {self._written.value.get('model')!r} of {self._site}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Model:
        """Airflow copies operators with all they hold; this never changes."""
        return self

    def _loaded(self) -> LoadedModel:
        if self._kept is None:
            try:
                self._kept = self._load(Spot(self._site.start))
            except InvalidConfig:  # once more, so that each mistake is told with the line of its key
                self._kept = self._load(*spelled_out(self._site))
        return self._kept

    def _load(self, spot: Spot, lines: tuple[str, ...] = ()) -> LoadedModel:
        site = self._site
        own = document_of(self._written, site.file, spot, lines)
        return load_document(own, site.dag_file, site_of_dag_file(site.dag_file))

    def _is_wanted(self) -> bool:
        dag_id = get_parsing_context().dag_id
        name = str(self._written.value.get("model"))
        return dag_id is None or "${" in name or dag_id.rpartition(".")[0] == name


def build_dags(model: Model) -> dict[str, DAG]:
    """The DAGs of a model by their id; Airflow finds them in the globals of a DAG file:

        globals().update(build_dags(model))

    Where Airflow parses for one task, that task's DAG alone, or none if it is not one of the model's.
    """
    if not isinstance(model, Model):
        raise TypeError(f"build_dags takes a Model(...), not a {type(model).__name__}")
    if not model._is_wanted():
        return {}
    return dags_of(compiled(model._loaded()), model._loaded, only=get_parsing_context().dag_id)
