"""Which code trained a model: the same source has one version, another source another."""

from __future__ import annotations

from pathlib import Path

import pytest
import sklearn

from airflow_mlops.backends.trainer_callable import CallableTrainer
from airflow_mlops.backends.trainer_sklearn import EstimatorTrainer

CODE = "def train(features, label, params, seed):\n    return None\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own_training"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "model.py").write_text(CODE)
    (folder / "helping.py").write_text("RATE = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("own_training", "own_training.model"):
        monkeypatch.delitem(__import__("sys").modules, name, raising=False)
    return folder


def test_any_file_of_the_package_changes_the_version_and_nothing_else_does(package: Path) -> None:
    trainer = CallableTrainer("own_training.model:train")
    first = trainer.code_version()
    assert first.startswith("sha256:")
    (package / "notes.txt").write_text("not code")
    assert trainer.code_version() == first
    (package / "helping.py").write_text("RATE = 2\n")
    assert trainer.code_version() != first


def test_an_estimator_is_known_by_its_library() -> None:
    version = EstimatorTrainer("sklearn.linear_model.LogisticRegression").code_version()
    assert version == f"sklearn=={sklearn.__version__}"
