"""What intervals cost: every metric of a million rows with its interval, beside scikit-learn's plain values.

    python benchmarks/evaluate.py [--rows 1000000] [--resamples 1000]

One process, one thread. The floor is scikit-learn's own functions, called one after the other on the same
arrays; what they give is also what our values are held to. Beside it are our values with intervals by
influence functions and by the bootstrap, and the comparison of two models with both of their scores. The
bar is that values with bootstrap intervals take at most 5 times what the plain values take. CPU seconds are
the best of three, so that another process on the machine does not count.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Before numpy is imported.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import sklearn
from sklearn import metrics as sk

from airflow_mlops.backends.metrics_influence import InfluenceMetrics
from airflow_mlops.core.metrics import Scoring
from airflow_mlops.core.values import TaskKind

BAR = 5.0
Plain = Mapping[str, Callable[[Any, Any], float]]


def _decided(metric: Callable[..., float]) -> Callable[[Any, Any], float]:
    return lambda label, score: metric(label, score >= 0.5)


BINARY: Plain = {
    "roc_auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "log_loss": sk.log_loss,
    "brier_score": sk.brier_score_loss,
    "accuracy": _decided(sk.accuracy_score),
    "balanced_accuracy": _decided(sk.balanced_accuracy_score),
    "precision": _decided(sk.precision_score),
    "recall": _decided(sk.recall_score),
    "f1": _decided(sk.f1_score),
    "jaccard": _decided(sk.jaccard_score),
    "matthews_corrcoef": _decided(sk.matthews_corrcoef),
}
REGRESSION: Plain = {
    "mean_absolute_error": sk.mean_absolute_error,
    "mean_squared_error": sk.mean_squared_error,
    "root_mean_squared_error": sk.root_mean_squared_error,
    "median_absolute_error": sk.median_absolute_error,
    "mean_absolute_percentage_error": sk.mean_absolute_percentage_error,
    "mean_pinball_loss": sk.mean_pinball_loss,
    "r2": sk.r2_score,
    "explained_variance": sk.explained_variance_score,
    "d2_absolute_error_score": sk.d2_absolute_error_score,
}


@dataclass(frozen=True, slots=True)
class Case:
    """One table: a task, its metrics, and labels with the predictions of two models."""

    task: TaskKind
    title: str
    plain: Plain
    label: Any
    one: Any
    other: Any


def binary(rows: int, title: str, plain: Plain) -> Case:
    random = np.random.default_rng(0)
    label = (random.random(rows) < 0.2).astype(int)
    shared = random.normal(size=rows)
    logits = (1.4 * label - 1.2 + shared, 1.2 * label - 1.2 + shared + 0.3 * random.normal(size=rows))
    one, other = (1 / (1 + np.exp(-logit)) for logit in logits)
    return Case("binary_classification", title, plain, label, one, other)


def regression(rows: int) -> Case:
    random = np.random.default_rng(1)
    label = random.gamma(3, 5, rows)
    shared = random.normal(size=rows)
    other = label + shared + random.normal(size=rows)
    return Case(
        "regression", f"regression, {len(REGRESSION)} metrics", REGRESSION, label, label + shared, other
    )


def cpu_seconds(work: Callable[[], object], times: int = 3) -> float:
    best = float("inf")
    for _ in range(times):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def floor(case: Case, prediction: Any) -> dict[str, float]:
    return {name: float(metric(case.label, prediction)) for name, metric in case.plain.items()}


def measure(case: Case, resamples: int) -> tuple[bool, bool]:
    """Print a table; whether the bar is met by one model's values, and by the comparison of two."""
    names = list(case.plain)
    scorers = {
        "influence": InfluenceMetrics(case.task, Scoring()),
        "bootstrap": InfluenceMetrics(case.task, Scoring(method="bootstrap", resamples=resamples)),
    }
    plain = floor(case, case.one)
    for scorer in scorers.values():
        ours = scorer.score(names, case.label, case.one, 0.95)
        for name, value in plain.items():
            if abs(ours[name].value - value) > 1e-9 * max(1.0, abs(value)):
                raise SystemExit(f"{name} is {ours[name].value}, scikit-learn has {value}")
            if not ours[name].low < value < ours[name].high:
                raise SystemExit(f"{name} is {value}, outside of its interval {ours[name]}")

    def compared(scorer: InfluenceMetrics) -> None:
        scorer.score(names, case.label, case.one, 0.95)
        scorer.score(names, case.label, case.other, 0.95)
        scorer.difference(names, case.label, case.one, case.other, 0.95)

    one = cpu_seconds(lambda: floor(case, case.one))
    two = one + cpu_seconds(lambda: floor(case, case.other))
    print(f"\n{case.title}\n")
    print("| | CPU seconds | times scikit-learn |\n|---|---:|---:|")
    print(f"| scikit-learn, values of one model | {one:.2f} | 1.0 |")
    met = compares = True
    for method, scorer in scorers.items():
        took = cpu_seconds(lambda scorer=scorer: scorer.score(names, case.label, case.one, 0.95))
        print(f"| values with {method} intervals | {took:.2f} | {took / one:.1f} |")
        met &= took <= BAR * one
    print(f"| scikit-learn, values of two models | {two:.2f} | 1.0 |")
    for method, scorer in scorers.items():
        took = cpu_seconds(lambda scorer=scorer: compared(scorer), times=2)
        print(f"| two models and their differences, {method} | {took:.2f} | {took / two:.1f} |")
        compares &= took <= BAR * two
    return met, compares


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--resamples", type=int, default=1_000)
    asked = parser.parse_args()
    few = {name: BINARY[name] for name in ("roc_auc", "log_loss", "average_precision", "f1")}
    print(
        f"{asked.rows:,} rows, {asked.resamples:,} resamples; Python {platform.python_version()}, "
        f"numpy {np.__version__}, scikit-learn {sklearn.__version__}, one thread"
    )
    cases = (
        binary(asked.rows, f"binary classification, {len(BINARY)} metrics", BINARY),
        binary(asked.rows, f"binary classification, {len(few)} metrics", few),
        regression(asked.rows),
    )
    met = [measure(case, asked.resamples) for case in cases]
    print(f"\nat most {BAR:g} times scikit-learn's plain metrics:")
    said = ("values with intervals of one model", "those of two models, and of their differences")
    for what, each in zip(said, zip(*met, strict=True), strict=True):
        missed = [case.title for case, one in zip(cases, each, strict=True) if not one]
        print(f"- {what}: {'missed by ' + '; '.join(missed) if missed else 'met'}")
    sys.exit(0 if all(all(each) for each in met) else 1)


if __name__ == "__main__":
    main()
