"""What must hold of whatever is read: a model, or problems that each have their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from airflow_mlops.cli.show import lines as shown
from airflow_mlops.config.load import LoadedModel, load_model
from airflow_mlops.config.problems import InvalidConfig, Problem
from airflow_mlops.config.site import Site
from airflow_mlops.config.source import lines_of
from airflow_mlops.plan.compile import compile_plan


def loaded(path: Path, site: Site, texts: Mapping[str, str]) -> LoadedModel | None:
    """The model, or None where it is refused for reasons that have their place in one of the ``texts``."""
    try:
        return load_model(path, site)
    except InvalidConfig as refused:
        problems, told = refused.problems, str(refused)
    assert problems
    assert told
    for problem in problems:
        has_its_place(problem, texts)
    return None


def has_its_place(problem: Problem, texts: Mapping[str, str]) -> None:
    assert problem.message, problem
    assert problem.path in texts, problem
    lines = lines_of(texts[problem.path].removeprefix("\ufeff"))
    assert 1 <= problem.line <= max(1, len(lines)), problem
    line = lines[problem.line - 1] if lines else ""
    assert 1 <= problem.column <= len(line) + 1, problem
    assert problem.snippet == line, problem


def is_usable(model: LoadedModel, path: Path, write: Callable[[Path, str], None]) -> None:
    """It becomes DAGs whose tasks Airflow could tell apart, and what ``show`` prints of it is the same."""
    plan = compile_plan(model.config, model.digest)
    for dag in plan.dags:
        ids = [task.full_id for task in dag.tasks]
        assert len(ids) == len(set(ids)), ids
        assert all(part in ids for task in dag.tasks for part in task.upstream)
    text = "\n".join(shown(model))
    write(path, text)
    again = load_model(path, Site(imports=_packages(model)))
    if model.config.validation.suite is None:
        assert again.digest == model.digest
    else:  # its expectations are written out, and it is named no more
        validation = model.config.validation.model_copy(update={"suite": None})
        assert again.config == model.config.model_copy(update={"validation": validation})


def _packages(model: LoadedModel) -> tuple[str, ...]:
    training, source = model.config.training, model.config.data.source
    named = [
        training.callable,
        training.estimator,
        getattr(source, "callable", None),
        *training.trusted_types,
    ]
    labels = model.config.monitor.labels
    named.append(getattr(labels.source, "callable", None) if labels else None)
    return tuple(one.partition(":")[0].partition(".")[0] for one in named if one)
