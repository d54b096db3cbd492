"""The files of a new model: templates beside this file, filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from airflow_mlops.config.models import API_VERSION
from airflow_mlops.core.values import TaskKind

_TEMPLATES = Path(__file__).with_name("templates")
_LOADER = """\
from airflow_mlops.factory import load_dags  # each model's YAML becomes its Airflow DAGs

load_dags(globals())
"""
_PYTEST = """\
[pytest]
# A throw-away AIRFLOW_HOME: no test touches your own.
mlops_airflow = true
"""
_PREFLIGHT = """
# Before each training: these tests, and every step on a few rows.
preflight:
  tests: [{model}/tests]
"""
# Where people keep pytest's settings already. A second file would hide theirs.
_SETTINGS = (
    "pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
    ".pytest.ini",
    "pytest.toml",
    ".pytest.toml",
)


@dataclass(frozen=True, slots=True)
class Start:
    """A model to begin: its name, level and task, and the ``year`` in which its schedule starts."""

    model: str
    level: int
    task: TaskKind
    year: int


@dataclass(frozen=True, slots=True)
class Files:
    """``own`` are the model's alone, ``shared`` those that every model of a folder needs once.

    ``needs_switch`` tells that pytest has settings there, which do not say ``mlops_airflow``.
    """

    own: Mapping[Path, str]
    shared: Mapping[Path, str]
    needs_switch: bool


def files_of(start: Start, folder: Path) -> Files:
    """Path to text, for each file of a new model below a folder."""
    words = {"model": start.model, "task": start.task, "level": str(start.level), "year": str(start.year)}
    words |= {"api_version": API_VERSION, "group": "", "query": "", **_OF_TASK[start.task]}
    words["roles"] = ", ".join(f'"{role}"' for role in _roles(start.level))
    monitor = "" if start.level == 1 else _filled("monitor.yaml", words)
    if start.level > 1 and start.task not in _NOT_IN_THE_LOG:
        monitor += _filled("performance.yaml", words)
    if start.level == 3:
        monitor += _filled("retraining.yaml", words)
    package = folder / "plugins" / start.model
    words["preflight"] = "" if start.level == 1 else _PREFLIGHT.format(model=start.model)
    own = {
        folder / "dags" / f"{start.model}.yaml": _filled("model.yaml", {**words, "monitor": monitor}),
        package / "__init__.py": f'"""The code of the model {start.model}: its rows and its training."""\n',
        package / "data.py": _filled("data.py", words),
        package / "model.py": _filled("model.py", words),
        folder / "tests" / f"test_{start.model}.py": _filled("test.py", words),
    }
    if start.level > 1:
        own[package / "tests" / "test_rows.py"] = _filled("preflight.py", words)
    shared = {folder / "dags" / "mlops.py": _LOADER, folder / "plugins" / ".airflowignore": "*\n"}
    settings = [path for path in (folder / name for name in _SETTINGS) if path.is_file()]
    if not settings:
        shared[folder / "pytest.ini"] = _PYTEST
    said = any("mlops_airflow" in path.read_text(encoding="utf-8", errors="replace") for path in settings)
    return Files(own, shared, needs_switch=bool(settings) and not said)


def _roles(level: int) -> tuple[str, ...]:
    return ("deploy", "rollback", "train") if level == 1 else ("deploy", "monitor", "rollback", "train")


def _filled(name: str, words: Mapping[str, str]) -> str:
    """Templates end in .template: linters and test runners are not to take them for what they become."""
    return Template((_TEMPLATES / f"{name}.template").read_text(encoding="utf-8")).substitute(words)


_OF_TASK: Mapping[TaskKind, Mapping[str, str]] = {
    "binary_classification": {
        "question": "Will it happen?",
        "label_means": "1 if it happened, 0 if not",
        "outcome": "(score + random.normal(0, 1, len(rows)) > 0).astype(int)",
        "estimator": "RandomForestClassifier",
        "metrics": "[roc_auc, log_loss]",
        "metric": "roc_auc",
        "threshold": "{type: threshold, metric: roc_auc, minimum: 0.7}",
        "champion": "{type: champion, metric: log_loss, margin: 0.02}",
        "tolerance": "0.02",
    },
    "multiclass_classification": {
        "question": "Which of three will it be?",
        "label_means": "0, 1 or 2",
        "outcome": "np.digitize(score + random.normal(0, 0.5, len(rows)), [-1, 1])",
        "estimator": "RandomForestClassifier",
        "metrics": "[accuracy, log_loss]",
        "metric": "accuracy",
        "threshold": "{type: threshold, metric: accuracy, minimum: 0.6}",
        "champion": "{type: champion, metric: log_loss, margin: 0.02}",
        "tolerance": "0.02",
    },
    "regression": {
        "question": "How much will it be?",
        "label_means": "a number",
        "outcome": "10 * score + random.normal(0, 2, len(rows))",
        "estimator": "RandomForestRegressor",
        "metrics": "[mean_absolute_error, r2]",
        "metric": "mean_absolute_error",
        "threshold": "{type: threshold, metric: r2, minimum: 0.6}",
        "champion": "{type: champion, metric: mean_absolute_error, margin: 0.2}",
        "tolerance": "0.2",
    },
    "ranking": {
        "question": "Which of ten will be taken?",
        "label_means": "0 for passed over, 1 for looked at, 2 for taken",
        "outcome": "np.digitize(score + random.normal(0, 0.5, len(rows)), [-1, 1])",
        "group": "  # Rows are ranked within each query.\n  group: query_id\n",
        "query": '    rows["query_id"] = [f"{day:%Y%m%d}-{n // 10}" for n in range(len(rows))]\n',
        "estimator": "RandomForestRegressor",
        "metrics": "[ndcg, mean_reciprocal_rank]",
        "metric": "ndcg",
        "threshold": "{type: threshold, metric: ndcg, minimum: 0.7}",
        "champion": "{type: champion, metric: ndcg, margin: 0.02}",
        "tolerance": "0.02",
    },
    "forecasting": {
        "question": "How much will it be?",
        "label_means": "a number of a later time",
        "outcome": "50 + 10 * score + random.normal(0, 2, len(rows))",
        "estimator": "RandomForestRegressor",
        "metrics": "[mean_absolute_error, mean_absolute_scaled_error]",
        "metric": "mean_absolute_error",
        "threshold": "{type: threshold, metric: mean_absolute_scaled_error, maximum: 1}",
        "champion": "{type: champion, metric: mean_absolute_error, margin: 0.2}",
        "tolerance": "0.2",
    },
}
# The log keeps one number a row, and no query.
_NOT_IN_THE_LOG: frozenset[TaskKind] = frozenset({"ranking"})
