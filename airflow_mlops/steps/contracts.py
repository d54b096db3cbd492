"""Contracts: what the YAML says, held against the code, the environment and the data it speaks of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.import_path import check_call, load_object
from airflow_mlops.config.imports import import_paths
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.data import PythonSource
from airflow_mlops.config.problems import KeyPath
from airflow_mlops.core.values import Report
from airflow_mlops.exceptions import MlopsError, PreflightFailed
from airflow_mlops.steps.contract_check import Check
from airflow_mlops.steps.data_contract import data_contract
from airflow_mlops.steps.page import page, sentences, table
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import DatasetRequest


def contracts(request: DatasetRequest, backends: Backends) -> Report:
    """Check all of it and tell all that is wrong at once.

    Raises ``PreflightFailed`` with what does not hold; warnings, such as columns that the champion was not
    trained on, are told in the report and the log. ``BackendUnavailable`` passes: a retry can help.
    """
    config = request.config
    findings = [*_config_contract(config, backends), *data_contract(request, backends)]
    broken = [one for one in findings if one.outcome == "broken"]
    warnings = [one for one in findings if one.outcome == "warning"]
    body = page(
        f"{config.model}: contracts",
        sentences(f"{len(findings)} checks, {len(broken)} broken, {len(warnings)} warnings."),
        table("Broken", ("what", "told"), [(one.subject, one.told) for one in broken]),
        table("Warnings", ("what", "told"), [(one.subject, one.told) for one in warnings]),
        table("All checks", ("what", "outcome"), [(one.subject, one.outcome) for one in findings]),
    )
    uri = backends.store.put(report_key(request.run, "contracts"), body)
    if broken:
        lines = "".join(f"\n  - {one}" for one in broken[1:])
        more = f"\nand {len(broken) - 1} more:{lines}" if lines else ""
        raise PreflightFailed(f"{broken[0]}{more}", report=uri)
    told = {"checks": len(findings), "warnings": [str(one) for one in warnings]}
    return Report(kind="contracts", uri=uri, summary=told)


def _config_contract(config: ModelConfig, backends: Backends) -> Iterator[Check]:
    for at, path in import_paths(config):
        if at[:2] == ("preflight", "tests"):
            continue
        found = _held(_dotted(at), partial(_check_code, path, at, config))
        if at[:2] == ("training", "trusted_types") and found.outcome == "broken":
            found = replace(found, outcome="warning")  # the name of a class in a class leads to no module
        yield found
    for subject, ask in _asked(config, backends):
        yield _held(subject, ask)


def _check_code(path: str, at: KeyPath, config: ModelConfig) -> None:
    """Imports it, and holds its signature against the call that a step will make."""
    source = _source_at(at, config)
    if at == ("training", "callable"):
        check_call(path, "features", "label", "params", "seed")
    elif at == ("training", "estimator"):
        check_call(path, **config.training.params)
    elif at[:2] == ("gates", "rules"):
        check_call(path, "evidence", **getattr(config.gates.rules[int(at[2])], "params", {}))
    elif at[:2] == ("evaluation", "metrics"):
        params = config.evaluation.metrics[int(at[2])].params
        check_call(path, "label", "prediction", "rows", **params)
    elif source is not None:
        check_call(path, **{"start": None, "end": None, **source.params})
    else:
        load_object(path)


def _source_at(at: KeyPath, config: ModelConfig) -> PythonSource | None:
    labels, score = config.monitor.labels, config.score
    sources: Mapping[KeyPath, object] = {
        ("data", "source", "callable"): config.data.source,
        ("score", "source", "callable"): None if score is None else score.source,
        ("monitor", "labels", "source", "callable"): None if labels is None else labels.source,
    }
    found = sources.get(at)
    return found if isinstance(found, PythonSource) else None


def _asked(config: ModelConfig, backends: Backends) -> Iterator[tuple[str, Callable[[], object]]]:
    """Each library and service that the pipeline will need, and one harmless question to it."""
    yield "the store", lambda: backends.ledger.entries(config.model)
    yield "the tracking server", lambda: backends.tracking.alias(config.model, "champion")
    source = config.data.source
    yield (
        f"data.source {source.type}",
        lambda: backends.data_source(source.type, source.model_dump(exclude={"type"})),
    )
    yield "metrics", lambda: backends.metrics(config.task, config.evaluation.scoring)
    if config.validation.expectations:
        yield "validation", backends.file_checker
    if config.level > 1 or config.monitor.cron is not None:
        yield "monitor.drift", backends.drift_detector
        yield "the page of monitor.drift", backends.drift_page


def _held(subject: str, ask: Callable[[], object]) -> Check:
    try:
        ask()
    except MlopsError as error:
        if error.retry_can_help:
            raise
        return Check(subject, "broken", str(error))
    return Check(subject, "held")


def _dotted(at: KeyPath) -> str:
    return ".".join(str(part) for part in at)
