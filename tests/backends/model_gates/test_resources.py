"""What a model takes: time to answer, space on disk, memory; and whether it is the one that was trained."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from airflow_mlops.backends.gates import latency, memory, size, skew
from airflow_mlops.backends.material import ANSWERS_FILE
from airflow_mlops.backends.tracking import ModelFiles
from airflow_mlops.config.parts.gates_model import SkewGate
from airflow_mlops.config.parts.gates_resources import LatencyGate, MemoryGate, SizeGate
from airflow_mlops.core.values import Estimate, Verdict
from airflow_mlops.exceptions import DataRefused, ModelRefused


def latency_settings(**given: Any) -> dict[str, Any]:
    return LatencyGate(type="latency", maximum=100, **given).model_dump(mode="json")


class Paced:
    """Answers at once; a clock of the test's own says how long it took."""

    def __init__(self) -> None:
        self.asked: list[pd.DataFrame] = []

    def predict(self, features: pd.DataFrame) -> Any:
        self.asked.append(features)
        return np.zeros(len(features))


def test_calls_of_one_row_and_of_a_batch_are_timed_and_the_first_ones_are_not(
    make_material: Any, monkeypatch: Any
) -> None:
    model = Paced()
    # A call of the warm-up takes a second, each later one as many milliseconds as there were before it.
    lasting = [1.0] * 10 + [call / 1_000 for call in range(100)] + [0.004] * 110
    clock = iter([moment for one in lasting for moment in (0.0, one)])
    material = make_material(model=model)
    monkeypatch.setattr(latency, "perf_counter", lambda: next(clock))
    finding = latency.measure(latency_settings(rows=32, calls=100), material)
    one, many = finding.measurements
    assert finding.unit == "ms"
    assert (one.name, many.name) == (
        "percentile 95 of a call with 1 row",
        "percentile 95 of a call with 32 rows",
    )
    assert one.estimate.value == pytest.approx(94)
    assert one.estimate.low < 94 < one.estimate.high <= 99
    assert many.estimate.value == pytest.approx(4)
    assert [len(rows) for rows in model.asked] == [1] * 110 + [32] * 110
    assert not model.asked[20].equals(model.asked[21])


def test_a_real_model_answers_one_row_in_less_time_than_this_test_has(make_material: Any) -> None:
    finding = latency.measure(latency_settings(percentile=50, rows=1, calls=20), make_material())
    (found,) = finding.measurements
    assert 0.01 < found.estimate.low <= found.estimate.value <= found.estimate.high < 2_000


def test_too_few_calls_for_the_confidence_are_refused_unless_the_value_decides(make_material: Any) -> None:
    few = {"percentile": 99, "calls": 30}
    with pytest.raises(DataRefused, match="30 calls give no interval of this percentile; 368 do"):
        latency.measure(latency_settings(**few), make_material(model=Paced()))
    found = latency.measure(latency_settings(**few, decide_by="value"), make_material(model=Paced()))
    assert len(found.measurements) == 2


def test_the_size_is_that_of_the_models_file(make_material: Any) -> None:
    class Stored:
        def files_of(self, model_uri: str) -> ModelFiles:
            assert model_uri == "runs:/r/model"
            return ModelFiles(b"described", bytes(2_500_000))

    asked = SizeGate(type="size", maximum=1).model_dump(mode="json")
    finding = size.measure(asked, make_material(tracking=Stored()))
    assert finding.unit == "MB"
    assert [item.estimate for item in finding.measurements] == [Estimate(2.5, 2.5, 2.5)]


def memory_settings(rows: int) -> dict[str, Any]:
    return MemoryGate(type="memory", maximum=1, rows=rows).model_dump(mode="json")


@pytest.mark.slow
def test_memory_is_what_a_process_takes_that_loads_the_model_and_predicts(make_material: Any) -> None:
    material = make_material()
    material.model.estimator[-1].ballast_ = np.random.default_rng(0).random(4_000_000)  # 32 MB
    finding = memory.measure(memory_settings(50), material)
    (found,) = finding.measurements
    assert finding.unit == "MB"
    assert found.name == "loading the model and predicting 50 rows"
    assert 30 < found.estimate.value < 200
    assert found.note.endswith(" MB of it to load")


SKEW = SkewGate(type="skew").model_dump(mode="json")


@pytest.mark.slow
def test_a_saved_model_answers_in_a_fresh_process_as_in_training_holes_and_all(make_material: Any) -> None:
    material = make_material(
        make_material.pipeline(KNeighborsClassifier()),
        task="multiclass_classification",
        label=lambda rows: (rows["age"] // 15).clip(1, 3).astype(int) - 1,
    )
    rows = pd.DataFrame(json.loads(material.tracking.files[ANSWERS_FILE])["rows"])
    rows.loc[3, "age"] = np.nan
    rows.loc[4, "plan"] = None
    keep(material, rows.to_dict(orient="records"), material.model.predict(rows).tolist())
    finding = skew.measure(SKEW, material)
    (found,) = finding.measurements
    assert finding.verdict is None
    assert found.estimate.value < 1e-9
    assert found.rows == 50


def keep(material: Any, rows: Any, answers: Any) -> None:
    material.tracking.files[ANSWERS_FILE] = json.dumps({"rows": rows, "answers": answers}).encode()


class Stored:
    """The training run's file; the model's are nobody's business where no process is started."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def read_file(self, run_id: str, path: str) -> bytes:
        return self.files[path]

    def files_of(self, model_uri: str) -> ModelFiles:
        return ModelFiles(b"", b"")


def test_the_largest_difference_from_what_training_answered_is_found(
    make_material: Any, monkeypatch: Any
) -> None:
    trained = make_material()
    material = replace(trained, tracking=Stored(trained.tracking.files))

    def answers(files: ModelFiles, rows: pd.DataFrame, **given: Any) -> list[float]:
        found: list[float] = material.model.predict(rows).tolist()
        found[17] += 0.25
        return found

    monkeypatch.setattr(skew, "answers_in_fresh_process", answers)
    (found,) = skew.measure(SKEW, material).measurements
    assert found.estimate.value == pytest.approx(0.25)


def test_a_model_that_cannot_be_loaded_in_a_fresh_process_fails(make_material: Any, monkeypatch: Any) -> None:
    def refuse(*given: Any, **more: Any) -> Any:
        raise ModelRefused("in a fresh process, it needs a module that is not there")

    monkeypatch.setattr(skew, "answers_in_fresh_process", refuse)
    material = make_material()
    finding = skew.measure(SKEW, replace(material, tracking=Stored(material.tracking.files)))
    assert finding.verdict == Verdict("fail", ("in a fresh process, it needs a module that is not there",))


def test_a_run_that_kept_no_answers_is_named(make_material: Any) -> None:
    material = make_material()
    del material.tracking.files[ANSWERS_FILE]
    with pytest.raises(DataRefused, match=r"kept no training_answers\.json"):
        skew.measure(SKEW, material)
