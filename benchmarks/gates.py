"""Is the comparison with the champion honest? Simulated challengers through the real gate, and naive rules.

    python benchmarks/gates.py [--trials 2000] [--metrics roc_auc accuracy log_loss average_precision]

Labels are drawn at a class balance; each model sees the label through normal noise and answers with the
calibrated probability, and the noise of the two is correlated (they were trained on nearly the same rows). So
two models of equal strength have equal true metrics, all of them, and a weaker one is truly worse by what ten
million rows tell. Three questions, at each number of rows and class balance:

- no difference: how often does `improvement: 0` promote? Nominal: 2.5 %, half of what 95 % leave.
- a loss of exactly the margin: how often does `margin` promote? Nominal: 2.5 %.
- a real gain: how often is it promoted (the power), beside what a threshold on the point value does with no
  difference and with the gain.

A rate is "as nominal" where the nominal rate lies within the simulation's own error (a 99.9 % Clopper-Pearson
interval, since many rates are looked at). A rate below it is conservative: it errs to the champion's side.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from airflow_mlops.backends.metrics_influence import InfluenceMetrics
from airflow_mlops.core.gates import AgainstChampion, Rule, judge, loss
from airflow_mlops.core.values import Evaluation, ModelRef

SIZES = (500, 2_000, 8_000)
BALANCES = (0.5, 0.1)
STRENGTH = 1.2  # of the champion's signal: an area under the ROC curve of .80
WEAKER, STRONGER = 1.1, 1.35
CORRELATION = 0.8
CONFIDENCE = 0.95
NOMINAL = (1 - CONFIDENCE) / 2
METRICS = ("roc_auc", "accuracy", "log_loss", "average_precision")


@dataclass(frozen=True)
class World:
    """Where labels and answers come from."""

    balance: float
    challenger: float
    champion: float = STRENGTH

    def draw(self, rows: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels, the challenger's answers, the champion's. There are two of each class at least."""
        label = (random.random(rows) < self.balance).astype(float)
        label[:2], label[2:4] = 1, 0
        shared = random.normal(size=rows) * CORRELATION**0.5
        own = (1 - CORRELATION) ** 0.5
        one, other = (
            self._probability(strength, label, shared + own * random.normal(size=rows))
            for strength in (self.challenger, self.champion)
        )
        return label, one, other

    def _probability(self, strength: float, label: np.ndarray, noise: np.ndarray) -> np.ndarray:
        seen = strength * label + noise
        odds = strength * seen - strength**2 / 2 + np.log(self.balance / (1 - self.balance))
        return 1 / (1 + np.exp(-odds))

    def true_loss(self, metric: str) -> float:
        """How much worse the challenger is, from ten million rows."""
        random, metrics = np.random.default_rng(1), InfluenceMetrics("binary_classification")
        lost = [
            loss(metric, metrics.difference([metric], *self.draw(1_000_000, random), CONFIDENCE)[metric])
            for _ in range(10)
        ]
        return float(np.mean([estimate.value for estimate in lost]))


def promoted(rules: Sequence[Rule], metric: str, world: World, rows: int, trials: int) -> list[float]:
    """For each rule the share of trials in which the gate lets the challenger through."""
    random = np.random.default_rng(rows + int(1_000 * world.balance))
    metrics = InfluenceMetrics("binary_classification")
    passed = np.zeros(len(rules))
    for _ in range(trials):
        label, ours, theirs = world.draw(rows, random)
        evaluation = Evaluation(
            rows=rows,
            confidence=CONFIDENCE,
            challenger=metrics.score([metric], label, ours, CONFIDENCE),
            champion=ModelRef("simulated", "1"),
            champion_metrics=metrics.score([metric], label, theirs, CONFIDENCE),
            difference=metrics.difference([metric], label, ours, theirs, CONFIDENCE),
        )
        for index, rule in enumerate(rules):
            passed[index] += judge([rule], evaluation, minimum_rows=1, bootstrap="refuse").passed
    return [float(share) for share in passed / trials]


def naive(metric: str) -> AgainstChampion:
    """What is written by hand everywhere: at least as good as the champion, by the number."""
    return AgainstChampion(metric, margin=0.0, decide_by="value")


def as_nominal(rate: float, trials: int) -> str:
    """How a rate lies to the nominal one."""
    hits = round(rate * trials)
    low = stats.beta.ppf(0.0005, hits, trials - hits + 1) if hits else 0.0
    high = stats.beta.ppf(0.9995, hits + 1, trials - hits) if hits < trials else 1.0
    if low <= NOMINAL <= high:
        return "as nominal"
    return "TOO OFTEN" if low > NOMINAL else "conservative"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--metrics", nargs="+", default=list(METRICS))
    asked = parser.parse_args(arguments)
    missed = 0
    print(f"{asked.trials} trials each, intervals at {CONFIDENCE:.0%}, nominal {NOMINAL:.1%}\n")
    print(
        f"{'metric':18} {'rows':>6} {'balance':>8} | {'no difference':>13} {'':12} | {'loss = margin':>13} "
        f"{'':12} | {'gain':>7} {'power':>7} | {'naive: none':>11} {'gain':>6}"
    )
    for metric in asked.metrics:
        for balance in BALANCES:
            worse, better = World(balance, WEAKER), World(balance, STRONGER)
            margin, gain = worse.true_loss(metric), -better.true_loss(metric)
            for rows in SIZES:
                proof = AgainstChampion(metric, improvement=0.0)
                [none, naive_none] = promoted(
                    [proof, naive(metric)], metric, World(balance, STRENGTH), rows, asked.trials
                )
                [at_margin] = promoted(
                    [AgainstChampion(metric, margin=margin)], metric, worse, rows, asked.trials
                )
                [power, naive_power] = promoted([proof, naive(metric)], metric, better, rows, asked.trials)
                said = [as_nominal(rate, asked.trials) for rate in (none, at_margin)]
                missed += said.count("TOO OFTEN")
                print(
                    f"{metric:18} {rows:6} {balance:8} | {none:13.2%} {said[0]:12} | {at_margin:13.2%} "
                    f"{said[1]:12} | {gain:7.4f} {power:7.1%} | {naive_none:11.1%} {naive_power:6.1%}",
                    flush=True,
                )
    print(f"\npromotes more often than nominal: {missed} rates ({'missed' if missed else 'met'})")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
