"""How much a metric drops where the holdout's features are not what they should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.gates.perturbations import fitting, perturbed
from airflow_mlops.backends.material import Material
from airflow_mlops.backends.scoring import Beside
from airflow_mlops.core.gates import loss
from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import Estimate, Finding, Measurement, Verdict
from airflow_mlops.exceptions import MlopsError

if TYPE_CHECKING:
    import pandas as pd


def measure(settings: Mapping[str, Any], material: Material) -> Finding:
    """The drop of the metric under each perturbation, paired by row, of all features at once and of each
    alone. A model that raises, or answers what is no finite number, fails by that alone.

    What is drawn depends on the seed, the perturbation and the features alone, so a retry finds the same.
    """
    trial = _trial(settings, material)
    drops: list[Measurement] = []
    broken: list[str] = []
    for perturbation in settings["perturbations"]:
        found: list[Measurement] = []
        for names in _groups(fitting(perturbation, material.columns.features), settings["each_feature"]):
            try:
                found.append(trial.drop(perturbation, names))
            except _BrokenError as error:
                broken.append(f"{_called(perturbation, names)}: {error}")
        drops += _worst_named(found)
    if not drops and not broken:
        return Finding("", problem="no feature is fit for any of its perturbations")
    return Finding("", tuple(drops), verdict=Verdict("fail", tuple(broken)) if broken else None)


class _BrokenError(Exception):
    """What the model did with perturbed rows, in words."""


@dataclass(frozen=True, slots=True)
class _Trial:
    settings: Mapping[str, Any]
    material: Material
    features: pd.DataFrame
    label: pd.Series
    answers: Any
    training: pd.DataFrame

    def drop(self, perturbation: str, names: list[str]) -> Measurement:
        """The mean over the repeats, and of the ends of their intervals: the rows are the same in each, so
        repeats make the perturbation's own chance smaller and not that of the rows."""
        import numpy as np

        metric, material = self.settings["metric"], self.material
        strength = self.settings["strength"][perturbation]
        beside = Beside.of(material.holdout.loc[self.features.index], material.columns.group)
        drops = []
        for repeat in range(self.settings["repeats"]):
            rng = np.random.default_rng([material.seed, repeat, *"|".join([perturbation, *names]).encode()])
            rows = perturbed(perturbation, self.features, names, self.training, strength, rng)
            answers = self._answers(rows)
            change = material.metrics.difference(
                [metric], self.label, answers, self.answers, material.confidence, beside=beside
            )[metric]
            drops.append(loss(metric, change, material.metrics.direction(metric)))
        value, low, high = (
            float(np.mean([getattr(one, end) for one in drops])) for end in ("value", "low", "high")
        )
        called = f"drop of {metric} with {_called(perturbation, names)}"
        return Measurement(called, Estimate(value, low, high), rows=len(self.features))

    def _answers(self, rows: pd.DataFrame) -> Any:
        import numpy as np

        try:
            answers = self.material.model.predict(rows)
        except MlopsError as error:
            if error.retry_can_help:
                raise
            raise _BrokenError(str(error)) from error
        except Exception as error:  # a user's model may raise anything; that is what is looked for
            raise _BrokenError(f"the model raised {raised(error)}") from error
        bad = int((~np.isfinite(answers.reshape(len(rows), -1)).all(axis=1)).sum())
        if bad:
            raise _BrokenError(f"{bad} of {len(rows)} answers are no finite numbers")
        return answers


def _trial(settings: Mapping[str, Any], material: Material) -> _Trial:
    import numpy as np

    features, label, answers = material.features, material.label, material.answers
    if len(features) > settings["rows"]:
        rng = np.random.default_rng(material.seed)
        chosen = np.sort(rng.choice(len(features), settings["rows"], replace=False))
        features, label, answers = features.iloc[chosen], label.iloc[chosen], answers[chosen]
    return _Trial(settings, material, features, label, answers, material.training())


def _groups(names: list[str], each: bool) -> Iterator[list[str]]:
    if len(names) > 1:
        yield names
    if each or len(names) == 1:
        yield from ([name] for name in names)


def _called(perturbation: str, names: list[str]) -> str:
    where = names[0] if len(names) == 1 else f"all {len(names)} features"
    return f"{perturbation.replace('_', ' ')} in {where}"


def _worst_named(found: list[Measurement]) -> list[Measurement]:
    """The feature that does the most harm alone stands beside what all do together."""
    if len(found) < 3:
        return found
    together, *alone = found
    worst = max(alone, key=lambda item: item.estimate.value)
    note = f"most by {worst.name.rpartition(' in ')[2]}: {worst.estimate.value:z.4f}"
    return [
        Measurement(together.name, together.estimate, rows=together.rows, note=note),
        *sorted(alone, key=lambda item: -item.estimate.value),
    ]
