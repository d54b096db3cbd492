"""What the stand-in of a broken YAML leans on inside Airflow, and whether the installed one has it.

Airflow promises none of it. Each line is tried on Airflow's own classes, not looked up by version: when one
fails, ``reporting.py`` shows placeholder DAGs instead, and tests/airflow/test_contract.py says which it was.
Only asked when a file is broken.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace

from airflow_mlops.factory.import_errors import BrokenConfig, broken_config

MARK = "_AIRFLOW_PROCESS_CONTEXT"
PROCESSOR = "airflow.dag_processing.processor"

_SILENT = logging.Logger("airflow_mlops.contract", logging.CRITICAL + 1)


def broken_promises(promises: Mapping[str, Callable[[], bool]] | None = None) -> list[str]:
    """Those that the installed Airflow does not keep; none is what the stand-in needs."""
    return [name for name, holds in (promises or PROMISES).items() if not _kept(holds)]


def marks_its_parser() -> bool:
    """Whether the DAG processor marks the process that parses for it, so that a process without the mark
    is another one. The processor is loaded in each that it started, and never loaded for this question.
    """
    processor = sys.modules.get(PROCESSOR)
    if processor is not None:
        entry = getattr(processor, "_parse_file_entrypoint", None)
        return entry is not None and MARK in entry.__code__.co_consts
    try:
        return importlib.util.find_spec(PROCESSOR) is not None
    except ModuleNotFoundError:  # no airflow-core, or one whose processor has moved
        return importlib.util.find_spec("airflow.dag_processing") is None


def _kept(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except Exception:  # noqa: BLE001 (an Airflow that works otherwise may raise anything)
        return False


def _answers_its_own_path() -> bool:
    return _probe().relative_fileloc == "models/probe.yaml"


def _passes_into_the_bag() -> bool:
    probe = _probe()
    probe.validate()  # type: ignore[no-untyped-call]  # Airflow left it bare
    probe.check_cycle()
    probe.resolve_template_files()  # type: ignore[no-untyped-call]
    return True


def _is_filed_under_its_path() -> bool:
    """By the processor's own function, on a bag that holds nothing but the probe."""
    probe = _probe()
    bag = SimpleNamespace(dags={probe.dag_id: probe})
    serialized, errors = _processor()._serialize_dags(bag, _SILENT)
    (text,) = errors.values()
    return not serialized and list(errors) == ["models/probe.yaml"] and probe.message in text


def _probe() -> BrokenConfig:
    probe = broken_config(Path("/bundle/models/probe.yaml"), "models/probe.yaml:1:1: a probe")
    probe.fileloc = "/bundle/dags/mlops.py"
    probe.relative_fileloc = "dags/mlops.py"
    return probe


def _processor() -> ModuleType:
    """The module whose process this is; where it is not loaded, nothing here is parsed for it."""
    return sys.modules[PROCESSOR]


PROMISES: Mapping[str, Callable[[], bool]] = {
    "DAG.relative_fileloc: a subclass may answer another path than the loader's": _answers_its_own_path,
    "DagBag: takes a DAG of a subclass without tasks (validate, check_cycle)": _passes_into_the_bag,
    f"{PROCESSOR}._serialize_dags: files an error under the DAG's relative_fileloc, with its message": (
        _is_filed_under_its_path
    ),
    f"{PROCESSOR}._parse_file_entrypoint: sets {MARK} in the process that parses": marks_its_parser,
}
