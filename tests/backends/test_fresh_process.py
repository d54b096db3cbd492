"""A saved model in a process of its own: what it answers there, and what is told where it cannot."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_mlops.backends import model_skops
from airflow_mlops.backends.fresh_process import answers_in_fresh_process
from airflow_mlops.backends.tracking import ModelFiles
from airflow_mlops.exceptions import ModelRefused

ROWS = pd.DataFrame({"a": np.linspace(-1, 1, 40), "b": [0.0, 1.0] * 20})


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., ModelFiles]:
    """``saved(estimator)``: a model's two files."""

    def save(
        estimator: Any, task: Any = "binary_classification", trusted: tuple[str, ...] = ()
    ) -> ModelFiles:
        folder = tmp_path / "model"
        model_skops.save(
            folder, estimator, example=ROWS, task=task, trusted_types=trusted, run_id="r", model_id="m"
        )
        return ModelFiles(*((folder / name).read_bytes() for name in ("MLmodel", "model.skops")))

    return save


@pytest.mark.slow
def test_several_classes_answer_with_a_list_for_each_row(saved: Callable[..., ModelFiles]) -> None:
    model = LogisticRegression().fit(ROWS, np.digitize(ROWS["a"], [-0.3, 0.3]))
    task = "multiclass_classification"
    answers = answers_in_fresh_process(saved(model, task), ROWS, task=task)
    np.testing.assert_array_equal(answers, model.predict_proba(ROWS))


@pytest.mark.parametrize(
    ("at_import", "told"),
    [
        ("time.sleep(60)", r"did not answer within 1 seconds; look for what its modules do"),
        ("os._exit(3)", r"ended that process with code 3: it printed nothing"),
        ("raise OSError('no GPU')", r"in a fresh process, the model raised OSError \(at "),
    ],
)
@pytest.mark.slow
def test_a_module_that_only_works_where_the_model_was_trained_is_told_of(
    saved: Callable[..., ModelFiles],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at_import: str,
    told: str,
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    module = f"own_{abs(hash(at_import))}"
    (tmp_path / f"{module}.py").write_text(
        dedent(
            f"""
            import os, sys, time
            from sklearn.linear_model import LogisticRegression

            class Model(LogisticRegression):
                pass

            if "fresh_process" in sys.argv[0]:
                {at_import}
            """
        )
    )
    model = __import__(module).Model().fit(ROWS, ROWS["b"])
    trusted = (f"{module}.Model",)
    files = saved(model, trusted=trusted)
    limit = 1 if "sleep" in at_import else 60
    with pytest.raises(ModelRefused, match=told):
        answers_in_fresh_process(
            files, ROWS, task="binary_classification", trusted_types=trusted, timeout_seconds=limit
        )
    del sys.modules[module]
