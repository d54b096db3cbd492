"""A visible DAG in the place of a YAML that cannot be read, for where an import error cannot be had."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from airflow_mlops.config.source import MAX_BYTES
from airflow_mlops.factory.import_errors import storable
from airflow_mlops.factory.loaded import PLACEHOLDER, Problem

_NO_ID = re.compile(r"[^A-Za-z0-9_-]+")
_IN_ONE_LINE = 250


class ConfigErrorOperator(BaseOperator):
    """Fails with what is wrong in the YAML: a run of the placeholder must not look like a run."""

    def __init__(self, *, message: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.message = message

    def execute(self, context: Any) -> None:  # noqa: ARG002 (Airflow's signature)
        raise AirflowFailException(self.message)


def placeholders(problems: Iterable[Problem]) -> dict[Path, DAG]:
    """For each broken file a DAG named after its model, or after the file where that cannot be told.

    Of two with one name, the second also carries a hash of its path. A worker that is to run one makes the
    same of the same files.
    """
    made: dict[Path, DAG] = {}
    taken: set[str] = set()
    for problem in sorted(problems, key=lambda problem: problem.path):
        text = _text(problem.path)
        name = _of_the_model(text) or _NO_ID.sub("_", problem.path.stem)[:100] or "_"
        if name in taken:
            where = str(problem.path).encode("utf-8", "surrogateescape")
            name = f"{name}.{hashlib.sha256(where).hexdigest()[:8]}"
        taken.add(name)
        made[problem.path] = _placeholder(name + PLACEHOLDER, problem, owner=_owner(text))
    return made


def _placeholder(dag_id: str, problem: Problem, *, owner: str | None) -> DAG:
    message = storable(problem.message)
    dag = DAG(
        dag_id,
        description=_in_one_line(problem.path, message),
        doc_md=_page(problem.path, message),
        schedule=None,
        tags=["config-error", "mlops"],
        default_args={"owner": owner} if owner else {},
        auto_register=False,
    )
    ConfigErrorOperator(dag=dag, task_id="config_error", message=message, retries=0)
    return dag


def _in_one_line(path: Path, message: str) -> str:
    """Without the folders, which the page names: a list of DAGs has little room."""
    first = message.partition("\n")[0].replace(storable(str(path)), storable(path.name), 1)
    return first if len(first) <= _IN_ONE_LINE else first[: _IN_ONE_LINE - 1] + "…"


def _page(path: Path, message: str) -> str:
    """The caret stands below its character in a code block only; a fence is longer than any inside it."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", message)), default=0))
    return (
        f"`{storable(path.name)}` cannot be loaded as it is. This DAG goes when the file is mended.\n\n"
        f"{fence}text\n{message}\n{fence}\n"
    )


def _text(path: Path) -> str:
    """Nothing where the problem is a folder, or a file that cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _of_the_model(text: str) -> str | None:
    """By a look at the text, which may not be YAML at all."""
    return _said(text, "model", "[a-z][a-z0-9_]{0,63}")


def _owner(text: str) -> str | None:
    return _said(text, "owner", r"[\w@.+-]+(?: [\w@.+-]+)*")


def _said(text: str, key: str, value: str) -> str | None:
    found = re.search(
        rf"""^["']?{key}["']?[ \t]*:[ \t]*["']?({value})["']?[ \t]*(?:#|\r?$)""", text, re.MULTILINE
    )
    return found[1] if found else None
