"""Does the search for bad slices accuse the innocent, and does it find the guilty? Simulated data, real gate.

    python benchmarks/slices.py [--trials 400] [--rows 4000] [--metrics accuracy roc_auc log_loss]

Eight features, four of them categories. Without a bad slice every slice's true value is the bound itself,
which is the hardest case: nominal is 2.5 %, half of what 95 % leave. With one, the model guesses on the rows
of one category, or on those of two crossed categories that no feature shows alone; the bound is a bit below
the truth of all other rows, and found means that the worst accused slice is the injected one, or lies in it.
Last, the seconds that a search over a million rows takes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd

from airflow_mlops.backends.gates.slices import measure
from airflow_mlops.backends.material import Columns, Material
from airflow_mlops.backends.metrics_influence import InfluenceMetrics
from airflow_mlops.config.parts.gates_groups import SlicesGate

NOMINAL = 0.025
TASK = "binary_classification"
LOWER_IS_BETTER = frozenset({"log_loss"})
Bad = Callable[[pd.DataFrame], Any]
GUILTY: dict[str, Bad] = {
    "kind0=a": lambda rows: rows["kind0"] == "a",
    "kind0=a, kind1=b": lambda rows: (rows["kind0"] == "a") & (rows["kind1"] == "b"),
}


def main() -> None:
    """Print how often slices are accused, and how long it takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--metrics", nargs="+", default=["accuracy", "roc_auc", "log_loss"])
    given = parser.parse_args()
    for metric in given.metrics:
        innocent(metric, given.rows, given.trials)
        for name, bad in GUILTY.items():
            guilty(metric, given.rows, max(given.trials // 10, 10), name, bad)
    for metric in given.metrics:
        frame, answers = drawn(1_000_000, np.random.default_rng(0))
        began = time.monotonic()
        found = looked(metric, frame, answers, truth(metric))
        print(f"{metric}: {len(found)} slices of 1,000,000 rows in {time.monotonic() - began:.1f} s")


def innocent(metric: str, rows: int, trials: int) -> None:
    """How often anything is accused where every slice is as good as the bound."""
    random, bound = np.random.default_rng(1), truth(metric)
    accused = sum(looked(metric, *drawn(rows, random), bound)[0].p_value < NOMINAL for _ in range(trials))
    error = 2.6 * sqrt(NOMINAL * (1 - NOMINAL) / trials)
    verdict = "too often" if accused / trials > NOMINAL + error else "as promised"
    print(f"{metric}: no bad slice, {rows} rows: accused {accused / trials:.1%} of {trials} ({verdict})")


def guilty(metric: str, rows: int, trials: int, name: str, bad: Bad) -> None:
    """How often the injected slice is the worst one that is accused."""
    random = np.random.default_rng(2)
    bound = truth(metric) + (0.05 if metric in LOWER_IS_BETTER else -0.03)
    hits = 0
    for _ in range(trials):
        worst = looked(metric, *drawn(rows, random, bad), bound)[0]
        hits += worst.p_value < NOMINAL and all(part in worst.name for part in name.split(", "))
    print(f"{metric}: bad where {name}: found in {hits / trials:.0%} of {trials}")


def drawn(rows: int, random: np.random.Generator, bad: Bad | None = None) -> tuple[pd.DataFrame, Any]:
    """Rows and a calibrated model's answers; where ``bad``, the answers of another row."""
    frame = pd.DataFrame(
        {f"number{index}": random.normal(size=rows) for index in range(4)}
        | {f"kind{index}": random.choice(list("abcde"), rows) for index in range(4)}
    )
    odds = random.normal(-1, 1.5, rows)
    answers = 1 / (1 + np.exp(-odds))
    frame["y"] = (random.random(rows) < answers).astype(int)
    return frame, np.where(bad(frame), random.permutation(answers), answers) if bad else answers


def truth(metric: str) -> float:
    """The metric's true value, by two million rows."""
    frame, answers = drawn(2_000_000, np.random.default_rng(9))
    return InfluenceMetrics(TASK).score([metric], frame["y"].to_numpy(), answers, 0.95)[metric].value


def looked(metric: str, frame: pd.DataFrame, answers: Any, bound: float) -> tuple[Any, ...]:
    """What the gate measures, the worst first."""
    side = "maximum" if metric in LOWER_IS_BETTER else "minimum"
    rule = SlicesGate.model_validate({"type": "slices", "metric": metric, "automatic": True, side: bound})
    kinds = {name: "numeric" if name.startswith("number") else "categorical" for name in frame if name != "y"}
    nobody: Any = None  # the search asks no model and reads no training rows
    material = Material(
        model_name="simulated",
        task=TASK,
        columns=Columns(kinds, "y", "", ""),
        confidence=0.95,
        seed=0,
        holdout=frame,
        answers=answers,
        model=nobody,
        model_uri="",
        trusted_types=(),
        metrics=InfluenceMetrics(TASK),
        tracking=nobody,
        training=nobody,
        former=nobody,
    )
    return measure(rule.model_dump(mode="json"), material).measurements


if __name__ == "__main__":
    main()
