"""Numbers, classes and probabilities as the small distributions that are kept and compared."""

from __future__ import annotations

from typing import Any

from airflow_mlops.core.quality import Spread
from airflow_mlops.core.raised import raised
from airflow_mlops.core.shift.distribution import LEVELS, Distribution, PredictionShift, Shift
from airflow_mlops.core.shift.reference import ReferenceScores
from airflow_mlops.core.values import TaskKind, is_classification
from airflow_mlops.exceptions import DataRefused

_BINS = 10
_MOST_STRANGE = 10_000


def spread(values: Any) -> Spread:
    """Count, mean and sample variance; a single value has none."""
    import numpy as np

    numbers = np.asarray(values, dtype="float64")
    if not len(numbers):
        return Spread(0, 0.0, 0.0)
    variance = float(numbers.var(ddof=1)) if len(numbers) > 1 else 0.0
    return Spread(len(numbers), float(numbers.mean()), variance)


def of_numbers(values: Any, edges: tuple[float, ...] | None = None) -> Distribution:
    """In bins between ``edges``, or between the deciles of these numbers themselves. What is no finite number
    is left out.

    A decile that comes twice is a value that many rows have (0, the majority's score): it gets a bin of its
    own, or a move away from it to one side would not be seen.
    """
    import numpy as np

    numbers = np.asarray(values, dtype="float64")
    numbers = numbers[np.isfinite(numbers)]
    if edges is None:
        edges = _deciles(numbers) if len(numbers) else (0.0,)
    counts = np.bincount(np.searchsorted(edges, numbers, side="right"), minlength=len(edges) + 1)
    quantiles = np.quantile(numbers, LEVELS).tolist() if len(numbers) else ()
    return Distribution(spread(numbers), tuple(counts.tolist()), edges, tuple(quantiles))


def of_classes(values: Any, classes: int = 0) -> Distribution:
    """Counts of the classes 0, 1, and so on, ``classes`` of them or as many as there are. Far beyond them all
    count as one: of a label that came in broken there would be a count for each number below it."""
    import numpy as np

    numbers = np.asarray(values, dtype="float64")
    numbers = numbers[np.isfinite(numbers) & (numbers >= 0)]
    numbers = np.minimum(numbers, classes + _MOST_STRANGE).astype("int64")
    return Distribution(spread(numbers), tuple(np.bincount(numbers, minlength=classes).tolist()))


def sureness(answers: Any, task: TaskKind) -> tuple[Any, Any] | None:
    """Entropy (0 to 1, of the most there can be; Shannon 1948) and confidence of each row, None of tasks that
    predict no class. ``answers`` are probabilities, as ``LoadedModel.predict`` gives them."""
    import numpy as np

    if not is_classification(task):
        return None
    given = np.asarray(answers, dtype="float64")
    chances = np.column_stack([1 - given, given]) if given.ndim == 1 else given
    chances = np.clip(chances[np.isfinite(chances).all(axis=1)], 0.0, 1.0)
    logs = np.log(chances, where=chances > 0, out=np.zeros_like(chances))
    entropy = -(chances * logs).sum(axis=1) / np.log(max(chances.shape[1], 2))
    return entropy, chances.max(axis=1) if len(chances) else entropy


def shown(answers: Any, task: TaskKind) -> Any:
    """The one number a row that the inference log has: of several classes, the most probable one's."""
    import numpy as np

    given = np.asarray(answers, dtype="float64")
    return given.argmax(axis=1) if task == "multiclass_classification" else given


def reference_scores(answers: Any, labels: Any, task: TaskKind) -> ReferenceScores:
    """What is kept with a model of its answers to its holdout."""
    import numpy as np

    sure = sureness(answers, task)
    several = task == "multiclass_classification"
    numbers = shown(answers, task)
    classes = np.asarray(answers).shape[1] if several else 0
    return ReferenceScores(
        task,
        predictions=of_classes(numbers, classes) if several else of_numbers(numbers),
        labels=of_labels(labels, task),
        entropy=None if sure is None else spread(sure[0]),
        confidence=None if sure is None else spread(sure[1]),
        chances=tuple(np.asarray(answers, dtype="float64").mean(axis=0).tolist()) if several else (),
    )


def of_labels(labels: Any, task: TaskKind, like: Distribution | None = None) -> Distribution:
    """Labels in bins of their own, or in those of ``like``. Raises ``DataRefused`` for what is no number."""
    import numpy as np

    try:
        labels = np.asarray(labels, dtype="float64")
    except (TypeError, ValueError) as error:
        raise DataRefused(f"the labels that have landed are no numbers: {raised(error)}") from None
    if is_classification(task):
        return of_classes(labels, len(like.counts) if like else 2)
    return of_numbers(labels, like.edges if like else None)


def prediction_shift(
    kept: ReferenceScores, served: Any, threshold: float, answers: Any = None
) -> PredictionShift:
    """``served`` is what the log has of every row. ``answers`` are probabilities where it has only classes:
    those of a sample that the champion was asked again."""
    several = kept.task == "multiclass_classification"
    before = kept.predictions
    now = of_classes(served, len(before.counts)) if several else of_numbers(served, before.edges)
    given = answers if several else served
    sure = None if given is None else sureness(given, kept.task)
    return PredictionShift(
        Shift(before, now, threshold),
        entropy=None if sure is None or kept.entropy is None else (kept.entropy, spread(sure[0])),
        confidence=None if sure is None or kept.confidence is None else (kept.confidence, spread(sure[1])),
    )


def _deciles(numbers: Any) -> tuple[float, ...]:
    import numpy as np

    # "lower" is a value that is there: between two values that are heavy on both sides, nothing is.
    found = np.quantile(numbers, np.arange(1, _BINS) / _BINS, method="lower")
    values, times = np.unique(found, return_counts=True)
    own = np.nextafter(values[times > 1], np.inf)
    # A column of one value: anything below it is another bin as well.
    return tuple(np.union1d(values, own).tolist())
