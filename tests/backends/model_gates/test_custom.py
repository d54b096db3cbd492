"""Gates of the user's own: what they are shown, what they may give, and what becomes of their mistakes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airflow_mlops.backends import catalog
from airflow_mlops.backends.gates.custom import measure
from airflow_mlops.config.parts.gates_custom import CustomGate
from airflow_mlops.core.values import Verdict
from airflow_mlops.exceptions import ConfigError, StoreUnavailable
from airflow_mlops.gates import Estimate

MODULE = """
from airflow_mlops.exceptions import StoreUnavailable
from airflow_mlops.gates import Estimate, Evidence, Verdict

seen = []

def verdict(evidence, least=0.5):
    seen.append(evidence)
    top = float(evidence.answers.max())
    return Verdict("pass" if top >= least else "fail", (f"the surest answer is {top:.2f}",))

def numbers(evidence):
    import numpy as np
    wide = Estimate(0.2, 0.1, 0.3)
    return {"mean answer": np.float64(evidence.answers.mean()), "made up": wide, "rows": len(evidence.rows)}

def greedy(evidence):
    evidence.rows["churned"] = 0
    evidence.features["age"] = 0.0
    evidence.answers[:] = 0.0
    return Verdict("pass", ())

def again(evidence):
    same = evidence.predict(evidence.features)
    return {"difference": abs(same - evidence.answers).max(), "training rows": len(evidence.training())}

def broken(evidence):
    return 1 / 0

def nothing(evidence):
    return None

def words(evidence):
    return {"quality": "good"}

def flag(evidence):
    return {"quality": True}

def away(evidence):
    raise StoreUnavailable("the disk is full")
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of the user's own."""
    (tmp_path / "own_gates.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "own_gates"
    sys.modules.pop("own_gates", None)


def settings(**given: Any) -> dict[str, Any]:
    return CustomGate(type="custom", **given).model_dump(mode="json")


def test_a_function_gives_a_verdict_and_takes_params(own: str, make_material: Any) -> None:
    strict = measure(settings(callable=f"{own}:verdict", params={"least": 1.1}), make_material())
    assert strict.verdict is not None
    assert strict.verdict.outcome == "fail"
    assert strict.verdict.reasons[0].startswith("the surest answer is 1.00")
    assert measure(settings(callable=f"{own}:verdict"), make_material()).verdict == Verdict(
        "pass", strict.verdict.reasons
    )


def test_a_function_sees_rows_answers_and_both_models(own: str, make_material: Any) -> None:
    theirs = np.full(400, 0.5)
    material = make_material(champion_answers=theirs)
    measure(settings(callable=f"{own}:verdict"), material)
    evidence = sys.modules[own].seen[0]
    assert list(evidence.rows) == ["id", "at", "age", "spend", "plan", "churned"]
    assert list(evidence.features) == ["age", "spend", "plan"]
    assert evidence.label.equals(material.label)
    assert (evidence.answers == material.answers).all()
    assert (evidence.champion_answers == theirs).all()
    assert (evidence.model, evidence.task, evidence.confidence, evidence.seed) == (
        "churn",
        "binary_classification",
        0.95,
        7,
    )


def test_a_function_gives_numbers_for_the_bounds_with_an_interval_or_without(
    own: str, make_material: Any
) -> None:
    material = make_material()
    finding = measure(settings(callable=f"{own}:numbers", minimum=0.0), material)
    mean = float(material.answers.mean())
    assert {item.name: item.estimate for item in finding.measurements} == {
        "mean answer": Estimate(mean, mean, mean),
        "made up": Estimate(0.2, 0.1, 0.3),
        "rows": Estimate(400.0, 400.0, 400.0),
    }
    assert finding.verdict is None


def test_a_function_can_ask_the_model_again_and_read_the_training_rows(own: str, make_material: Any) -> None:
    finding = measure(settings(callable=f"{own}:again", minimum=0.0), make_material())
    assert [item.estimate.value for item in finding.measurements] == [0.0, 600.0]


def test_what_a_function_changes_is_unchanged_for_the_next_gate(own: str, make_material: Any) -> None:
    material = make_material()
    answers, rows = material.answers.copy(), material.holdout.copy()
    measure(settings(callable=f"{own}:greedy"), material)
    assert (material.answers == answers).all()
    assert material.holdout.equals(rows)


@pytest.mark.parametrize(
    ("function", "given", "problem"),
    [
        ("broken", {}, "own_gates:broken raised ZeroDivisionError \\(at "),
        ("nothing", {}, "own_gates:nothing gave nothing; return a Verdict, or numbers by name as a dict"),
        ("words", {"minimum": 0}, "own_gates:words gave a str for 'quality'; a float or an Estimate is due"),
        ("flag", {"minimum": 0}, "own_gates:flag gave a bool for 'quality'; a float or an Estimate is due"),
        ("numbers", {}, "own_gates:numbers gave numbers; give the gate a 'minimum' or a 'maximum' to hold"),
        ("verdict", {"params": {"most": 1}}, "own_gates:verdict raised TypeError: .*'most'"),
    ],
)
def test_a_mistake_in_a_function_is_a_problem_that_names_it(
    own: str, make_material: Any, function: str, given: dict[str, Any], problem: str
) -> None:
    if "minimum" in given:
        given = {"minimum": 0.0}
    finding = measure(settings(callable=f"{own}:{function}", **given), make_material())
    assert finding.problem is not None
    assert (finding.verdict, finding.measurements) == (None, ())
    import re

    assert re.match(problem, finding.problem)


def test_a_service_that_is_away_is_worth_a_retry(own: str, make_material: Any) -> None:
    with pytest.raises(StoreUnavailable):
        measure(settings(callable=f"{own}:away"), make_material())


def test_a_function_that_is_not_there_is_a_mistake_of_the_yaml(own: str, make_material: Any) -> None:
    with pytest.raises(ConfigError, match=r"there is no 'verdikt'.* Did you mean 'verdict'"):
        measure(settings(callable=f"{own}:verdikt"), make_material())


def installed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """As if a package had these entry points, each leading to the module's ``verdict``."""
    found = [EntryPoint(name, "own_gates:verdict", catalog.ENTRY_POINTS) for name in names]

    def entry_points(*, group: str, name: str | None = None) -> list[EntryPoint]:
        assert group == "airflow_mlops.backends"
        return [one for one in found if name in (None, one.name)]

    monkeypatch.setattr(catalog, "entry_points", entry_points)


def test_an_installed_package_brings_a_gate_by_name(
    own: str, make_material: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, "gate.surest")
    finding = measure(settings(gate="surest", params={"least": 0.1}), make_material())
    assert finding.verdict is not None
    assert finding.verdict.passed


def test_a_gate_that_nobody_brings_is_told_with_those_there_are(
    own: str, make_material: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, "gate.surest", "data_source.lake")
    with pytest.raises(
        ConfigError, match=r"'gate.sures': did you mean 'gate.surest'\? There are: gate.surest\."
    ):
        measure(settings(gate="sures"), make_material())
    # The gates of this package are types of their own, and take other arguments.
    with pytest.raises(ConfigError, match=r"nobody provides 'gate.overfitting'"):
        measure(settings(gate="overfitting"), make_material())
