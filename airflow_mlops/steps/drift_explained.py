"""Why the champion's mean score changed: asked of the champion itself, on rows of reference and window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.shift.distributions import spread
from airflow_mlops.backends.shift.samples import ANSWER, OwnRows
from airflow_mlops.backends.shift.shapley import explain
from airflow_mlops.backends.shift.slices import slice_rows
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.quality import Spread
from airflow_mlops.core.shift.attribution import Attribution, SliceTable, attribute, by_slice
from airflow_mlops.core.shift.distribution import mean_change
from airflow_mlops.core.values import ColumnKind
from airflow_mlops.exceptions import DataRefused, ModelRefused, TrainingFailed
from airflow_mlops.steps.champion_scores import SEED, KeptScores
from airflow_mlops.steps.drift_plan import drift_plan
from airflow_mlops.steps.requests import CollectedRequest

if TYPE_CHECKING:
    import pandas as pd

MOST_TABLES = 12


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """``answers`` are probabilities of the window's sample, where the log has only classes."""

    attribution: Attribution | None = None
    slices: tuple[SliceTable, ...] = ()
    answers: Any = None
    unsaid: tuple[str, ...] = ()


def explained(
    request: CollectedRequest, kept: KeptScores, own: OwnRows, ranked: Sequence[str], backends: Backends
) -> Explanation:
    """Split the change of the mean score over features and slices. A champion that cannot be asked leaves the
    slices, which need only what was served."""
    config, settings = request.config, request.config.monitor.drift.explain
    several = config.task == "multiclass_classification"
    if not settings.enabled and not several:
        return Explanation()
    features = [name for name in kept.features if name in own.sample]
    try:
        asking = _Asking.of(request, kept, own, features, backends)
    except (ModelRefused, TrainingFailed, DataRefused) as error:
        return Explanation(unsaid=(f"what explains the scores: the champion cannot be asked: {error}",))
    if not settings.enabled:
        return Explanation(answers=asking.answers)
    kinds = {name: _kind(name, kept.sample[name], config) for name in features}
    slices = asking.tables(kinds, _cuts(config, features))
    try:
        found = explain(
            asking.ask,
            (kept.sample[features], asking.before),
            (own.sample[features], asking.now),
            _players(features, ranked, settings.features),
            rows=settings.rows,
            seed=SEED,
        )
    except (ModelRefused, TrainingFailed, DataRefused) as error:
        return Explanation(
            slices=slices,
            answers=asking.answers,
            unsaid=(f"which features explain the scores: {error}",),
        )
    attribution = attribute(
        asking.score,
        means=(asking.whole[0].mean, asking.whole[1].mean),
        drawn=found.drawn,
        asked=found.asked,
        change=asking.change,
        features=found.parts,
        rows=found.rows,
    )
    return Explanation(attribution, slices, asking.answers)


@dataclass(frozen=True, slots=True, eq=False)
class _Asking:
    """The champion, and one score a row: the probability, the value, or of several classes the probability
    of that class whose mean probability changed most. ``whole`` is over all rows, where the log has it."""

    score: str
    model: Any
    class_: int | None
    reference: pd.DataFrame
    window: pd.DataFrame
    before: Any
    now: Any
    whole: tuple[Spread, Spread]
    answers: Any = None

    @classmethod
    def of(
        cls,
        request: CollectedRequest,
        kept: KeptScores,
        own: OwnRows,
        features: Sequence[str],
        backends: Backends,
    ) -> _Asking:
        config, champion = request.config, request.collected.champion
        model = backends.tracking.load(
            f"models:/{champion.name}/{champion.version}", trusted_types=config.training.trusted_types
        )
        reference, window = kept.sample, own.sample
        if config.task != "multiclass_classification":
            before, now = (side[ANSWER].to_numpy(dtype="float64") for side in (reference, window))
            whole = kept.scores.predictions.spread, spread(own.served)
            name = "mean probability" if config.task == "binary_classification" else "mean prediction"
            return cls(name, model, None, reference, window, before, now, whole)
        answers = model.predict(window[list(features)])
        gaps = abs(answers.mean(axis=0) - kept.scores.chances)
        class_ = int(gaps.argmax())
        before = model.predict(reference[list(features)])[:, class_]
        now = answers[:, class_]
        name = f"mean probability of class {class_}"
        return cls(
            name, model, class_, reference, window, before, now, (spread(before), spread(now)), answers
        )

    @property
    def change(self) -> Any:
        return mean_change(*self.whole)

    def ask(self, rows: pd.DataFrame) -> Any:
        answers = self.model.predict(rows)
        return answers if self.class_ is None else answers[:, self.class_]

    def tables(
        self, kinds: Mapping[str, ColumnKind], cuts: Sequence[Sequence[str]]
    ) -> tuple[SliceTable, ...]:
        """One for each column, those first whose slices moved the mean most."""
        tables = []
        for cut in cuts:
            columns = [(kinds[name], self.reference[name], self.window[name]) for name in cut]
            sides = slice_rows(columns, self.before, self.now)
            if sides is not None:
                tables.append(by_slice(" and ".join(cut), *sides, self.change.value))
        return tuple(sorted(tables, key=lambda one: (-one.moved, one.column))[:MOST_TABLES])


def _cuts(config: ModelConfig, features: Sequence[str]) -> list[tuple[str, ...]]:
    """The slices that drift is looked for in, and each feature by itself."""
    return list(dict.fromkeys([*drift_plan(config, features).slices.cuts, *((name,) for name in features)]))


def _players(features: Sequence[str], ranked: Sequence[str], most: int) -> dict[str, tuple[str, ...]]:
    """The features that moved most by themselves, and all others as one."""
    order = [name for name in ranked if name in features]
    order += [name for name in features if name not in order]
    if len(order) <= most + 1:
        return {name: (name,) for name in order}
    others = tuple(order[most:])
    return {**{name: (name,) for name in order[:most]}, f"{len(others)} other features": others}


def _kind(name: str, values: pd.Series, config: ModelConfig) -> ColumnKind:
    """What the YAML says; of a feature that it no longer has, what the values are."""
    kind = config.data.features.get(name)
    if kind is None:
        kind = "numeric" if getattr(values.dtype, "kind", "O") in "biuf" else "categorical"
    return kind
