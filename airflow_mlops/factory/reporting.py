"""How each of Airflow's processes tells of the YAMLs that gave no DAGs."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import Literal

from airflow.sdk import DAG

from airflow_mlops.factory.contract import MARK, broken_promises, marks_its_parser
from airflow_mlops.factory.import_errors import broken_config, listed_problems
from airflow_mlops.factory.loaded import Problem
from airflow_mlops.factory.placeholder import placeholders

log = logging.getLogger(__name__)

Process = Literal["parser", "unknown", "listing", "other"]
_LISTS = frozenset({("dags", "list"), ("dags", "list-import-errors")})


def report(problems: Sequence[Problem]) -> dict[str, DAG]:
    """The DAGs that show them in a parse of whole files, for the module's ``globals()``.

    In the DAG processor each is an import error under its own path; where Airflow does not allow that, or
    a cluster policy, a placeholder DAG. Elsewhere (``dags reserialize``, a DAG that is asked for by its id)
    a stand-in would stop the command or mark every model stale, so that the log says it. Imported only where
    a file is broken.
    """
    match _process():
        case "parser":
            return _under_their_own_paths(problems)
        case "unknown":
            return _visible(problems)
        case "listing":
            return {"problems": listed_problems([problem.message for problem in problems])}
        case "other":
            for problem in problems:
                tell(problem.path, problem.message)
            return {}


def tell(what: object, message: str) -> None:
    """On standard error where the command has switched all logging off, as Airflow's shorter ones do."""
    text = f"Skipped {what}: {message}"
    if log.isEnabledFor(logging.WARNING):
        log.warning("%s", text)
    else:
        sys.stderr.write(f"{text}\n")


def _process() -> Process:
    if os.environ.get(MARK) == "client":
        return "parser"
    if tuple(sys.argv[1:3]) in _LISTS:
        return "listing"
    return "other" if marks_its_parser() else "unknown"


def _under_their_own_paths(problems: Sequence[Problem]) -> dict[str, DAG]:
    if lost := broken_promises():
        log.warning("Broken files are shown as DAGs, for this Airflow does not keep: %s", "; ".join(lost))
        return _visible(problems)
    stand_ins = {problem: broken_config(problem.path, problem.message) for problem in problems}
    admitted = {problem: dag for problem, dag in stand_ins.items() if _is_admitted(dag)}
    shown: dict[str, DAG] = {f"problem {problem.path}": dag for problem, dag in admitted.items()}
    if len(admitted) == len(stand_ins):
        return shown
    return {**_visible(problems, but=frozenset(admitted)), **shown}


def _visible(problems: Sequence[Problem], *, but: frozenset[Problem] = frozenset()) -> dict[str, DAG]:
    """Placeholders; all are made, so that none is named otherwise because another is not needed."""
    made = placeholders(problems)
    shown: dict[str, DAG] = {}
    for problem in problems:
        if problem in but:
            continue
        if _is_admitted(made[problem.path]):
            shown[f"problem {problem.path}"] = made[problem.path]
        else:
            tell(problem.path, problem.message)
    return shown


def _is_admitted(dag: DAG) -> bool:
    """Whether the deployment's cluster policies let it pass. One that they refuse (a stand-in has neither
    tasks nor an owner) would be an error under the loader's path, where it hides every model."""
    from airflow import settings

    try:
        settings.dag_policy(dag)  # type: ignore[no-untyped-call]  # Airflow left it bare
        for task in dag.tasks:
            settings.task_policy(task)  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 (whatever a policy raises is a refusal)
        return False
    return True
