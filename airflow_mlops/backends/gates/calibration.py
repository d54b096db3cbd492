"""Whether a model's probabilities can be taken at their word, or a regression is right on average."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.gates.decisions import labels
from airflow_mlops.backends.gates.recalibration import (
    calibration_error,
    intercept,
    mean_error,
    parts,
    slope,
    spiegelhalter,
)
from airflow_mlops.backends.material import Material
from airflow_mlops.core.proportions import quantile, wilson
from airflow_mlops.core.values import Estimate, Figure, Finding, Measurement, Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]


def measure(settings: Mapping[str, Any], material: Material) -> Finding:
    """One number, or one for each class with an interval that holds for all classes together. The report has
    a reliability diagram beside it."""
    questions = list(_questions(settings, material))
    confidence = 1 - (1 - material.confidence) / len(questions)
    measurements, notes, figures = [], [], []
    for question in questions:
        estimate = _measured(settings, question, confidence, material.seed)
        name = settings["measure"].replace("_", " ") + question.said
        measurements.append(Measurement(name, estimate, rows=len(question.label)))
        figures.append(_diagram(question, settings["bins"], material.confidence))
        p_value = None if question.is_number else spiegelhalter(question.label, question.answer)
        if p_value is not None:
            said = f"{p_value:.2g}" if p_value >= 1e-4 else "below 0.0001"
            notes.append(f"Spiegelhalter's test of calibration{question.said}: p {said}.")
    if len(questions) > 1:
        notes.insert(
            0, f"The intervals hold for all {len(questions)} classes together, at {material.confidence:.0%}."
        )
    if settings["measure"] == "expected_calibration_error":
        notes.insert(
            0,
            f"The error is that of {settings['bins']} bins with equally many rows, less what chance alone "
            "makes of it (Kumar, Liang and Ma 2019).",
        )
    return Finding("", tuple(measurements), notes=tuple(notes), figures=tuple(figures))


@dataclass(frozen=True, slots=True)
class _Question:
    """What was promised and what came: of two classes, of one class among several, or a number."""

    said: str
    label: Numbers
    answer: Numbers
    is_number: bool = False


def _questions(settings: Mapping[str, Any], material: Material) -> Iterator[_Question]:
    import numpy as np

    label, answers = labels(material), np.asarray(material.answers, dtype=np.float64)
    if material.task != "multiclass_classification":
        is_number = material.task != "binary_classification"
        yield _Question("", label.astype(np.float64), answers.reshape(-1), is_number)
        return
    if settings["classes"] == "top":
        top = answers.argmax(axis=1)
        yield _Question(" of the top class", (top == label).astype(np.float64), answers.max(axis=1))
        return
    names = sorted(material.label.unique().tolist())
    for index in range(answers.shape[1]):
        named = names[index] if len(names) == answers.shape[1] else index
        yield _Question(f" of class {named}", (label == index).astype(np.float64), answers[:, index])


def _measured(settings: Mapping[str, Any], question: _Question, confidence: float, seed: int) -> Estimate:
    label, answer = question.label, question.answer
    match settings["measure"]:
        case "expected_calibration_error":
            return calibration_error(label, answer, confidence, bins=settings["bins"], seed=seed)
        case "slope":
            return slope(label, answer, confidence)
        case "intercept":
            return intercept(label, answer, confidence)
        case _:
            return mean_error(label, answer, confidence)


def _diagram(question: _Question, bins: int, confidence: float) -> Figure:
    import numpy as np

    codes = parts(question.answer, bins)
    counts = np.bincount(codes)
    answered = np.bincount(codes, weights=question.answer) / counts
    seen = np.bincount(codes, weights=question.label)
    z = quantile(confidence)
    points = []
    for part, rows in enumerate(counts.tolist()):
        if question.is_number:
            estimate = _mean(question.label[codes == part], z)
        else:
            estimate = wilson(float(seen[part]), rows, z)
        points.append(Point(f"bin {part + 1}", estimate, rows, float(answered[part])))
    return Figure(
        "reliability",
        f"Observed over predicted{question.said}",
        tuple(points),
        note=f"Each dot is a bin with equally many rows, its interval at {confidence:.0%}. On the dashed "
        "line what was predicted is what came.",
    )


def _mean(values: Numbers, z: float) -> Estimate:
    mean = float(values.mean())
    half = z * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return Estimate(mean, mean - half, mean + half)
