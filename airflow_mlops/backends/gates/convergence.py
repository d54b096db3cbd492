"""Whether training came to its end: what the fitted estimator and the warnings of its training say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_mlops.backends.material import WARNINGS_FILE, Material
from airflow_mlops.core.values import Finding, Verdict
from airflow_mlops.exceptions import DataRefused

# Where meta-estimators of scikit-learn keep what they have fitted.
_HELD_IN = (
    "steps", "estimator_", "best_estimator_", "regressor_", "classifier_", "final_estimator_", "estimators_",
    "calibrated_classifiers_", "transformers_", "estimator",
)  # fmt: skip
# Boosting always uses all its rounds, unless it stops early: that is no sign of anything.
_BOOSTING_PARAMS = ("early_stopping", "n_iter_no_change")
_TENTH = 10
_SHORTEST_CURVE = 5


def measure(settings: Mapping[str, Any], material: Material) -> Finding:
    """A verdict. Fail: training warned that it did not converge, an iteration came to its limit, or a
    training loss or validation score was still improving when it stopped. Inconclusive: boosting that ran all
    its rounds and looked at no validation score. Pass: none of these.

    Raises ``DataRefused`` for a model that does not show its estimator.
    """
    root = getattr(material.model, "estimator", None)
    if root is None:
        raise DataRefused("the loaded model does not show its estimator")
    fitted = list(_estimators(root))
    bad = _warned(material)
    unknown: list[str] = []
    good: list[str] = []
    for one in fitted:
        of_one = [*_at_its_limit(one), *_still_improving(one, settings["still_improving"])]
        bad += of_one
        if of_one:
            continue
        blind = _blind(one)
        (unknown if blind else good).extend(blind or _told(one))
    if bad:
        return Finding("", verdict=Verdict("fail", tuple(dict.fromkeys(bad))))
    if unknown:
        return Finding("", verdict=Verdict("inconclusive", tuple(dict.fromkeys(unknown))))
    names = ", ".join(dict.fromkeys(type(one).__name__ for one in fitted))
    nothing = f"training gave no ConvergenceWarning, and nothing in {names} stops at a limit"
    return Finding("", verdict=Verdict("pass", tuple(dict.fromkeys(good)) or (nothing,)))


def _warned(material: Material) -> list[str]:
    try:
        raised = json.loads(material.tracking.read_file(material.run_id, WARNINGS_FILE))
    except KeyError:  # of an earlier release, or logged by other means: the estimator still tells
        return []
    return [f"training warned: {text}" for text in dict.fromkeys(raised)]


def _estimators(root: Any) -> Iterator[Any]:
    """Every fitted part of an estimator: steps of pipelines, members of ensembles, what a search found."""
    waiting, seen = [root], set()
    while waiting:
        one = waiting.pop(0)
        if one is None or isinstance(one, str) or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, (list, tuple)):
            waiting = [*one, *waiting]
        elif hasattr(one, "tolist"):  # gradient boosting keeps its trees in an array
            waiting = [*one.ravel().tolist(), *waiting]
        elif hasattr(one, "__dict__"):
            if hasattr(one, "get_params"):
                yield one
            waiting = [*(vars(one)[name] for name in _HELD_IN if name in vars(one)), *waiting]


def _at_its_limit(one: Any) -> Iterator[str]:
    if _is_boosting(one) or getattr(one, "tol", 0) is None:
        return  # with tol=None the number of iterations is what was asked for
    limit, done = getattr(one, "max_iter", None), _most(getattr(one, "n_iter_", None))
    if isinstance(limit, int) and limit > 0 and done is not None and done >= limit:
        yield (
            f"{type(one).__name__} stopped at its limit of {limit} iterations; raise max_iter, or scale the "
            "features"
        )


def _still_improving(one: Any, tolerance: float) -> Iterator[str]:
    """By how much the best of the last tenth of a curve is better than the best before it."""
    for attribute, sign, words in _curves(one):
        curve = [sign * float(value) for value in getattr(one, attribute)]
        if len(curve) < _SHORTEST_CURVE:
            continue
        last = max(len(curve) // _TENTH, 1)
        before, after = max(curve[:-last]), max(curve[-last:])
        gained = (after - before) / max(abs(before), 1e-12)
        if gained > tolerance:
            yield (
                f"the {words} of {type(one).__name__} was still improving, by {gained:.1%} in its last "
                f"{last} of {len(curve)} iterations (more than {tolerance:.1%}); let it train for longer"
            )


def _curves(one: Any) -> Iterator[tuple[str, int, str]]:
    """Attribute, 1 where more is better, and its name. The training loss of boosting falls for ever, so of it
    only the validation score counts."""
    validated = False
    for attribute in ("validation_scores_", "validation_score_"):
        if _is_curve(getattr(one, attribute, None)):
            validated = True
            yield attribute, 1, "validation score"
    if not validated and not _is_boosting(one) and _is_curve(getattr(one, "loss_curve_", None)):
        yield "loss_curve_", -1, "training loss"


def _blind(one: Any) -> list[str]:
    """What boosting does not tell that ran all its rounds and looked at no validation score."""
    rounds = _rounds(one) if _is_boosting(one) and not list(_curves(one)) else None
    if rounds is None or rounds[0] < rounds[1]:
        return []
    advice = "early_stopping: true" if hasattr(one, "early_stopping") else "n_iter_no_change: 10"
    return [
        f"{type(one).__name__} ran all its {rounds[1]} rounds and kept no validation score, so nobody can "
        f"tell whether more would help; give it `{advice}`"
    ]


def _told(one: Any) -> list[str]:
    """How the training of one ended, where it has iterations at all."""
    name, rounds = type(one).__name__, _rounds(one)
    if rounds is None or rounds[1] <= 0:
        return []
    return [f"{name} stopped after {rounds[0]} of at most {rounds[1]} iterations"]


def _rounds(one: Any) -> tuple[int, int] | None:
    """Iterations or rounds of boosting that were run, and the most that there may be."""
    for done, limit in (("n_iter_", "max_iter"), ("n_estimators_", "n_estimators")):
        ran, most = _most(getattr(one, done, None)), getattr(one, limit, None)
        if ran is not None and isinstance(most, int):
            return ran, most
    return None


def _is_boosting(one: Any) -> bool:
    return "GradientBoosting" in type(one).__name__ and any(hasattr(one, name) for name in _BOOSTING_PARAMS)


def _most(iterations: Any) -> int | None:
    """Some count for each class, some for each penalty of a path."""
    if iterations is None or isinstance(iterations, bool):
        return None
    if isinstance(iterations, int):
        return iterations
    try:
        values = iterations.ravel().tolist() if hasattr(iterations, "ravel") else list(iterations)
        return max((int(value) for value in values), default=None)
    except (TypeError, ValueError):
        return None


def _is_curve(values: Any) -> bool:
    return hasattr(values, "__len__") and len(values) > 0
