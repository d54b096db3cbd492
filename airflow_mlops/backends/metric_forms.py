"""Each metric of the table as a statistic: of which numbers it is a function, and which one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_mlops.backends.metric_queries import Queries
from airflow_mlops.backends.statistic import Proportion, Statistic
from airflow_mlops.backends.statistic_other import Maximum, Median
from airflow_mlops.backends.statistic_ranks import AveragePrecision, MeanOf, Ranking, RocAuc
from airflow_mlops.backends.statistic_sums import Counts, Means, ratio

Params = Mapping[str, Any]


# No slots: ``cached_property`` keeps its value in the instance.
@dataclass(frozen=True)
class Answers:
    """One model's predictions and the labels, checked: float64 of one length.

    A class is its number, a score a probability (of 1, or a column per class) or the predicted number.
    ``group`` numbers each row's group from 0, where there are groups.
    """

    label: Any
    score: Any
    threshold: float = 0.5
    group: Any = None

    @cached_property
    def classes(self) -> Any:
        """The labels as whole numbers."""
        import numpy as np

        return self.label.astype(np.intp)

    @cached_property
    def said(self) -> Any:
        """The predicted classes: the most probable one, or 1 from the decision threshold on."""
        import numpy as np

        if self.score.ndim == 2:
            return self.score.argmax(axis=1)
        return (self.score >= self.threshold).astype(np.intp)

    @property
    def many(self) -> int:
        """How many classes there are."""
        return self.score.shape[1] if self.score.ndim == 2 else 2

    @cached_property
    def ranking(self) -> Ranking:
        return Ranking(self.classes == 1, self.score)

    @cached_property
    def error(self) -> Any:
        return self.label - self.score

    @cached_property
    def absolute(self) -> Any:
        return abs(self.error)

    @cached_property
    def deviation(self) -> Any:
        """The labels less their mean, which spares their variance the cancellation."""
        return self.label - self.label.mean()

    @cached_property
    def queries(self) -> Queries:
        return Queries(self.label, self.score, self.group)


def statistic(metric: str, answers: Answers, params: Params) -> Statistic:
    """The statistic behind a name of the table."""
    if metric in _WITH_PARAMS:
        return _WITH_PARAMS[metric](answers, params)
    return _FORMS[metric](answers)


Form = Callable[[Answers], Statistic]


def _mean(column: Any) -> Means:
    return Means((column,), _first)


def _first(mean: Any) -> Any:
    return mean


def _counted(of: Callable[[Any, Any, Any], Any]) -> Form:
    return lambda answers: Counts(answers.classes, answers.said, answers.many, of)


def _accuracy(answers: Answers) -> Counts:
    hits = Proportion(answers.classes == answers.said)
    return Counts(answers.classes, answers.said, answers.many, _hits, hits)


def _hits(right: Any, _there: Any, _said: Any) -> Any:
    return right.sum(-1)


def _recall(answers: Answers) -> Counts:
    found = Proportion(answers.said == 1, among=answers.classes == 1)
    return Counts(answers.classes, answers.said, 2, _of_class_1(_recalls), found)


def _precision(answers: Answers) -> Counts:
    right = Proportion(answers.classes == 1, among=answers.said == 1, by_label=False)
    return Counts(answers.classes, answers.said, 2, _of_class_1(_precisions), right)


def _top_k(answers: Answers, params: Params) -> Means:
    """Among equal probabilities the higher class number is first, as in scikit-learn."""
    import numpy as np

    k = min(int(params["k"]), answers.many)
    best = np.argsort(answers.score, axis=1, kind="stable")[:, -k:]
    hit = (best == answers.classes[:, None]).any(axis=1)
    return Means((hit.astype(float),), _first, Proportion(hit))


def _f1s(right: Any, there: Any, said: Any) -> Any:
    return ratio(2 * right, there + said)


def _precisions(right: Any, _there: Any, said: Any) -> Any:
    return ratio(right, said)


def _recalls(right: Any, there: Any, _said: Any) -> Any:
    return ratio(right, there)


def _jaccards(right: Any, there: Any, said: Any) -> Any:
    return ratio(right, there + said - right)


PerClass = Callable[[Any, Any, Any], Any]


def _f1(answers: Answers) -> Counts:
    """Of class 1, or the plain mean over the classes of a multiclass model."""
    of = _of_class_1(_f1s) if answers.score.ndim == 1 else _macro(_f1s)
    return Counts(answers.classes, answers.said, answers.many, of)


def _of_class_1(of_each: PerClass) -> PerClass:
    return lambda right, there, said: of_each(right, there, said)[..., 1]


def _macro(of_each: PerClass) -> PerClass:
    """The plain mean over the classes that are there or predicted."""

    def mean(right: Any, there: Any, said: Any) -> Any:
        seen = (there + said).real > 0
        return (of_each(right, there, said) * seen).sum(-1) / seen.sum(-1)

    return mean


def _weighted(of_each: PerClass) -> PerClass:
    """The mean over the classes, by how often each is there."""
    return lambda right, there, said: (of_each(right, there, said) * there).sum(-1)


def _balanced(right: Any, there: Any, said: Any) -> Any:
    """The mean recall of the classes that are there."""
    return _recalls(right, there, said).sum(-1) / (there.real > 0).sum(-1)


def _matthews(right: Any, there: Any, said: Any) -> Any:
    """The correlation of label and prediction, for any number of classes (Gorodkin 2004)."""
    import numpy as np

    chance = (there * said).sum(-1)
    spread = (1 - (said * said).sum(-1)) * (1 - (there * there).sum(-1))
    return ratio(right.sum(-1) - chance, np.where(spread.real > 0, spread, 0.0) ** 0.5)


def _roc_auc(answers: Answers) -> RocAuc:
    return RocAuc(answers.ranking)


def _roc_auc_ovr(answers: Answers) -> MeanOf:
    """The mean of the areas of each class against the rest."""
    columns = range(answers.many)
    return MeanOf([RocAuc(Ranking(answers.classes == one, answers.score[:, one])) for one in columns])


def _average_precision(answers: Answers) -> AveragePrecision:
    return AveragePrecision(answers.ranking)


def _log_loss(answers: Answers) -> Means:
    """Natural logarithm; probabilities are kept an epsilon away from 0 and 1, as scikit-learn does."""
    import numpy as np

    epsilon, score = np.finfo(np.float64).eps, answers.score
    if score.ndim == 2:
        of_label = score[np.arange(len(score)), answers.classes]
    else:
        of_label = np.where(answers.classes == 1, score, 1 - score)
    return _mean(-np.log(np.clip(of_label, epsilon, 1 - epsilon)))


def _squared(answers: Answers) -> Means:
    return _mean(answers.error**2)


def _root(form: Callable[[Answers], Means]) -> Form:
    return lambda answers: Means(form(answers).columns, lambda mean: mean**0.5)


def _absolute(answers: Answers) -> Means:
    return _mean(answers.absolute)


def _percentage(answers: Answers) -> Means:
    import numpy as np

    return _mean(answers.absolute / np.maximum(abs(answers.label), np.finfo(np.float64).eps))


def _squared_log(answers: Answers) -> Means:
    import numpy as np

    return _mean((np.log1p(answers.label) - np.log1p(answers.score)) ** 2)


def _pinball(answers: Answers, params: Params) -> Means:
    import numpy as np

    alpha = float(params["alpha"])
    return _mean(np.maximum(alpha * answers.error, (alpha - 1) * answers.error))


def _r2(answers: Answers) -> Means:
    """One minus the squared error over the label's variance."""
    columns = (answers.error**2, answers.deviation, answers.deviation**2)
    return Means(columns, lambda error, mean, square: 1 - ratio(error, square - mean * mean))


def _explained_variance(answers: Answers) -> Means:
    columns = (answers.error, answers.error**2, answers.deviation, answers.deviation**2)
    return Means(
        columns, lambda bias, error, mean, square: 1 - ratio(error - bias * bias, square - mean * mean)
    )


def _d2_absolute(answers: Answers) -> Means:
    """One minus the absolute error over that of the labels' median, which is taken as given: to first order
    it moves nothing, for it is where its own error is least."""
    import numpy as np

    columns = (answers.absolute, abs(answers.label - np.median(answers.label)))
    return Means(columns, lambda error, spread: 1 - ratio(error, spread))


def _symmetric_percentage(answers: Answers) -> Means:
    """``2 |y - f| / (|y| + |f|)``, 0 where both are 0: between 0 and 2 (Armstrong 1985)."""
    return _mean(ratio(2 * answers.absolute, abs(answers.label) + abs(answers.score)))


def _weighted_percentage(answers: Answers) -> Means:
    """The sum of absolute errors over the sum of absolute labels."""
    return Means((answers.absolute, abs(answers.label)), ratio)


def _scaled(answers: Answers, params: Params) -> Means:
    """The mean absolute error over that of the naive forecast, the label ``season`` rows earlier in the same
    group, of the rows that have one. Hyndman and Koehler (2006) scale by the training rows instead; here
    both are of rows that the model has not seen, so that below 1 is better than naive where it counts. Rows
    are in the order of time."""
    import numpy as np

    step, rows = int(params["season"]), len(answers.label)
    group = np.zeros(rows, dtype=np.intp) if answers.group is None else answers.group
    order = np.argsort(group, kind="stable")
    label, series = answers.label[order], group[order]
    naive, has_past = np.zeros(rows), np.zeros(rows)
    same = series[step:] == series[:-step]
    naive[order[step:]] = np.where(same, abs(label[step:] - label[:-step]), 0.0)
    has_past[order[step:]] = same
    columns = (answers.absolute, naive, has_past)
    return Means(columns, lambda error, change, past: ratio(error * past, change))


def _queries(of: Callable[[Queries, int], Any]) -> Callable[[Answers, Params], Means]:
    return lambda answers, params: Means((of(answers.queries, int(params["k"])),), _first, per_unit=True)


OF_CLASSES: Mapping[str, PerClass] = {
    "accuracy": _hits,
    "balanced_accuracy": _balanced,
    "f1": _macro(_f1s),
    "matthews_corrcoef": _matthews,
    "f1_macro": _macro(_f1s),
    "f1_weighted": _weighted(_f1s),
    "precision_macro": _macro(_precisions),
    "recall_macro": _macro(_recalls),
}
"""What is made of decisions between several classes: a function of the shares of rows, class by class, that
are answered rightly, that are there, and that are said to be."""

_FORMS: Mapping[str, Form] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier_score": _squared,
    "accuracy": _accuracy,
    "balanced_accuracy": _counted(OF_CLASSES["balanced_accuracy"]),
    "f1": _f1,
    "precision": _precision,
    "recall": _recall,
    "jaccard": _counted(_of_class_1(_jaccards)),
    "matthews_corrcoef": _counted(OF_CLASSES["matthews_corrcoef"]),
    "f1_macro": _counted(OF_CLASSES["f1_macro"]),
    "f1_weighted": _counted(OF_CLASSES["f1_weighted"]),
    "precision_macro": _counted(OF_CLASSES["precision_macro"]),
    "recall_macro": _counted(OF_CLASSES["recall_macro"]),
    "roc_auc_ovr": _roc_auc_ovr,
    "mean_absolute_error": _absolute,
    "mean_squared_error": _squared,
    "root_mean_squared_error": _root(_squared),
    "median_absolute_error": lambda answers: Median(answers.absolute),
    "max_error": lambda answers: Maximum(answers.absolute),
    "mean_absolute_percentage_error": _percentage,
    "mean_squared_log_error": _squared_log,
    "root_mean_squared_log_error": _root(_squared_log),
    "r2": _r2,
    "explained_variance": _explained_variance,
    "d2_absolute_error_score": _d2_absolute,
    "symmetric_mean_absolute_percentage_error": _symmetric_percentage,
    "weighted_absolute_percentage_error": _weighted_percentage,
}
_WITH_PARAMS: Mapping[str, Callable[[Answers, Params], Statistic]] = {
    "top_k_accuracy": _top_k,
    "mean_pinball_loss": _pinball,
    "mean_absolute_scaled_error": _scaled,
    "ndcg": _queries(Queries.ndcg),
    "dcg": _queries(Queries.dcg),
    "mean_reciprocal_rank": _queries(Queries.reciprocal_rank),
    "mean_average_precision": _queries(Queries.average_precision),
}
