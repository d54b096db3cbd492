"""Is a rollout's verdict honest, and how soon does it see harm? Simulated rollouts through the real judge.

    python benchmarks/canary.py [--trials 2000] [--processes 2]

A rollout is a shadow and canary steps of 10 % and 50 %, one row a call, looked at after every 200 rows until
each stage has a verdict (``core.analysis.judge_stage``, what the product calls); a stage that has none after
60,000 rows is rolled back, as ``deploy.on_inconclusive`` has it by default. Nothing worse than the champion
is borne: both ``max_ratio`` are 1, so that "no difference" lies on the very edge of what is allowed. Labels
land for the shadowed rows, and both models' answers are compared on each.

Printed are, for each world: how many rollouts were promoted, proven harmful, and left without a verdict, and
the rows of traffic until the proof (median, and of 90 % of them) or the promotion. At no difference also:
which check made the false proofs, and how often naive tests, each at 5 % and made anew at every look, as
dashboards do, would have ended the same rollouts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial

import numpy as np
from scipy import stats

from airflow_mlops.core.analysis import ErrorLimits, LatencyLimits, StageCounts, StageLimits, judge_stage
from airflow_mlops.core.gates import settle
from airflow_mlops.core.latencies import EDGES
from airflow_mlops.core.quality import Landed, QualityLimits, Spread, judge_quality
from airflow_mlops.core.values import ArmObservation, Observation, RolloutMode, Verdict

STAGES: tuple[tuple[RolloutMode, float], ...] = (("shadow", 0.0), ("canary", 0.1), ("canary", 0.5))
ROWS_A_LOOK, PATIENCE = 200, 60_000
FALSE_ALARMS = 0.05
RIGHT = 0.85  # of the champion's answers
MEDIAN_SECONDS, SIGMA = 0.06, 0.5  # of a lognormal latency
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
LIMITS = StageLimits(
    minimum_requests=1_000,
    errors=ErrorLimits(max_rate=0.05, max_ratio=1.0),
    latency=LatencyLimits(quantile=0.99, max_ratio=1.0),
    max_disagreement=0.2,
    false_alarm_rate=FALSE_ALARMS,
    stages=len(STAGES),
    other_checks=1,
)
QUALITY = QualityLimits(
    "accuracy", "higher", margin=0.01, minimum_labels=200, required=True,
    false_alarm=LIMITS.alpha, false_pass=0.05, sequences=len(STAGES), span=1.0,
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """What the challenger is really like; the champion fails on 1 % and is right on 85 %."""

    name: str
    errors: float = 0.01
    latency: float = 1.0
    worse: float = 0.03
    """Rows that only the champion has right; only the challenger has 3 % right."""
    share: float = 1.0
    """What part of its weight it is given."""
    quantile: float = 0.99
    """Of the latencies that are judged."""

    @property
    def limits(self) -> StageLimits:
        return replace(LIMITS, latency=replace(LIMITS.latency, quantile=self.quantile))


WORLDS = (
    World("no difference"),
    World("errors 1 % to 2 %", errors=0.02),
    World("errors 1 % to 5 %", errors=0.05),
    World("latency x 1.2", latency=1.2),
    World("latency x 1.2, p90 judged", latency=1.2, quantile=0.9),
    World("latency x 2", latency=2.0),
    World("accuracy -3 points", worse=0.06),
    World("a third of the split", share=1 / 3),
)


@dataclass
class Arm:
    """What one version was seen to do in a stage."""

    version: str
    rows: int = 0
    errors: int = 0

    def __post_init__(self) -> None:
        self.latencies = np.zeros(len(EDGES) + 1, dtype=int)
        self.log_sum = self.log_squares = 0.0

    def add(self, rows: int, rate: float, factor: float, random: np.random.Generator) -> None:
        errors = int(random.binomial(rows, rate))
        logs = random.normal(np.log(MEDIAN_SECONDS * factor), SIGMA, rows - errors)
        self.rows, self.errors = self.rows + rows, self.errors + errors
        self.latencies += np.bincount(LOG_EDGES.searchsorted(logs, side="right"), minlength=len(EDGES) + 1)
        self.log_sum, self.log_squares = self.log_sum + logs.sum(), self.log_squares + (logs**2).sum()

    def seen(self) -> ArmObservation:
        return ArmObservation(
            self.version, self.rows, self.errors,
            calls=self.rows, failed_calls=self.errors, latencies=tuple(self.latencies.tolist()),
        )  # fmt: skip


LOG_EDGES = np.log(EDGES)


@dataclass
class Labels:
    """Paired losses of 0 and 1 on shadowed rows: how often only one of the two models is right."""

    rows: int = 0
    worse: int = 0
    better: int = 0

    def add(self, rows: int, world: World, random: np.random.Generator) -> None:
        worse, better, _ = random.multinomial(rows, [world.worse, 0.03, 0.97 - world.worse])
        self.rows, self.worse, self.better = (
            self.rows + rows,
            self.worse + int(worse),
            self.better + int(better),
        )

    def verdict(self) -> Verdict:
        """Of accuracy: proven worse by more than the margin, proven not to be, or neither yet."""
        theirs = RIGHT
        ours = theirs - (self.worse - self.better) / self.rows
        mean = ours - theirs
        variance = (self.worse + self.better) / self.rows - mean**2
        landed = Landed(
            "shadow",
            champion=Spread(self.rows, theirs, theirs * (1 - theirs)),
            challenger=Spread(self.rows, ours, ours * (1 - ours)),
            difference=Spread(self.rows, mean, variance),
        )
        return judge_quality([landed], QUALITY)


class Stage:
    """A stage of a simulated rollout, row by row."""

    def __init__(self, mode: RolloutMode, weight: float, world: World) -> None:
        self.mode, self.weight, self.world = mode, weight, world
        self.champion, self.challenger, self.labels = Arm("1"), Arm("2"), Labels()
        self.disagreements = 0

    def go_on(self, random: np.random.Generator) -> None:
        """Another 200 rows of traffic."""
        shadow, world = self.mode == "shadow", self.world
        theirs = int(random.binomial(ROWS_A_LOOK, 1.0 if shadow else self.weight * world.share))
        self.challenger.add(theirs, world.errors, world.latency, random)
        self.champion.add(ROWS_A_LOOK if shadow else ROWS_A_LOOK - theirs, 0.01, 1.0, random)
        if shadow:
            self.labels.add(ROWS_A_LOOK, world, random)
            self.disagreements += int(random.binomial(ROWS_A_LOOK, 0.1))

    def observation(self) -> Observation:
        return Observation(
            "simulated", self.mode, self.weight, NOW, self.champion.seen(), self.challenger.seen(),
            min(self.disagreements, self.challenger.rows),
        )  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a rollout ended, after how many rows of traffic; and which naive tests would have ended it."""

    how: str
    rows: int
    naive: frozenset[str]


def roll_out(world: World, seed: int) -> Ended:
    """One rollout to its end."""
    random, rows, limits = np.random.default_rng(seed), 0, world.limits
    naive: set[str] = set()
    earlier: list[StageCounts] = []
    for mode, weight in STAGES:
        stage, verdict, seen = Stage(mode, weight, world), None, 0
        while verdict is None or verdict.outcome == "inconclusive":
            if seen >= PATIENCE:
                return Ended("no verdict", rows, frozenset(naive))
            stage.go_on(random)
            seen, rows = seen + ROWS_A_LOOK, rows + ROWS_A_LOOK
            observation = stage.observation()
            verdict = judge_stage(observation, limits, earlier=earlier)
            if mode == "shadow" and verdict.outcome != "fail":
                verdict = settle([verdict, stage.labels.verdict()])
            naive |= {name for name, fires in naive_tests(stage) if fires}
        if verdict.outcome == "fail":
            return Ended(proof(verdict), rows, frozenset(naive))
        counts = StageCounts.of(observation)
        earlier += [] if counts is None else [counts]
    return Ended("promoted", rows, frozenset(naive))


def proof(verdict: Verdict) -> str:
    """Which check made the proof: the first reason is of the part that failed."""
    first = verdict.reasons[0]
    names = {"rows failed": "errors", "latency": "latency", "went to": "split", "differ on": "disagreement"}
    return next((name for part, name in names.items() if part in first), "quality")


def naive_tests(stage: Stage) -> Iterator[tuple[str, bool]]:
    """What a dashboard's tests say at one look, each at 5 %, with as many rows as the judge asks for."""
    champion, challenger = stage.champion, stage.challenger
    if challenger.rows < LIMITS.minimum_requests or not champion.rows:
        return
    rows = champion.rows + challenger.rows
    rate = (champion.errors + challenger.errors) / rows
    spread = (rate * (1 - rate) * (1 / champion.rows + 1 / challenger.rows)) ** 0.5
    yield "errors", challenger.errors / challenger.rows - champion.errors / champion.rows > ONE_SIDED * spread
    yield "latency", welch(challenger, champion) > ONE_SIDED
    if stage.mode == "canary":
        expected = (stage.weight * (1 - stage.weight) / rows) ** 0.5
        yield "split", abs(challenger.rows / rows - stage.weight) > TWO_SIDED * expected
    else:
        labels = stage.labels
        discordant = max(labels.worse + labels.better, 1)
        yield "quality", labels.worse - labels.better > ONE_SIDED * discordant**0.5


ONE_SIDED, TWO_SIDED = (float(stats.norm.ppf(1 - level)) for level in (0.05, 0.025))


def welch(one: Arm, other: Arm) -> float:
    """How many standard errors the mean logarithm of the latencies is apart."""
    means, spreads = [], 0.0
    for arm in (one, other):
        calls = arm.rows - arm.errors
        means.append(arm.log_sum / calls)
        spreads += (arm.log_squares / calls - means[-1] ** 2) / calls
    return float((means[0] - means[1]) / spreads**0.5)


def simulate(world: World, trials: int, pool: ProcessPoolExecutor) -> list[Ended]:
    return list(pool.map(partial(roll_out, world), range(trials), chunksize=max(1, trials // 64)))


def told(world: World, ended: Sequence[Ended]) -> str:
    """A line of the table."""
    promoted = [one.rows for one in ended if one.how == "promoted"]
    proven = [one.rows for one in ended if one.how not in ("promoted", "no verdict")]
    shares = [len(promoted), len(proven), len(ended) - len(promoted) - len(proven)]
    cells = "".join(f"{share / len(ended):>9.1%}" for share in shares)
    rows = [(proven, 0.5), (proven, 0.9), (promoted, 0.5)]
    # Of a few rollouts a median says nothing.
    told = [
        f"{np.quantile(some, level):>9,.0f}" if len(some) >= len(ended) / 20 else f"{'-':>9}"
        for some, level in rows
    ]
    return f"{world.name:<28}{cells}{''.join(told)}"


def by_check(ended: Sequence[Ended]) -> str:
    """Which checks made the proofs, and which naive tests fired."""
    lines = [f"{'':28}{'ours':>9}{'naive':>9}"]
    for name in ("errors", "latency", "split", "disagreement", "quality"):
        ours = np.mean([one.how == name for one in ended])
        theirs = f"{np.mean([name in one.naive for one in ended]):>9.1%}" if name != "disagreement" else ""
        lines.append(f"{name:<28}{ours:>9.1%}{theirs}")
    unjudged = np.mean([one.how == "no verdict" for one in ended])
    lines.append(f"{'no verdict in 60,000 rows':<28}{unjudged:>9.1%}")
    ours, naive = (
        np.mean([one.how != "promoted" for one in ended]),
        np.mean([bool(one.naive) for one in ended]),
    )
    return "\n".join([*lines, f"{'any of them':<28}{ours:>9.1%}{naive:>9.1%}"])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args(arguments)
    began = time.perf_counter()
    print(f"{asked.trials} rollouts each; at most {FALSE_ALARMS:.0%} false alarms are allowed\n")
    print(f"{'':28}{'':>9}{'proven':>9}{'no':>9}{'rows until proof':>18}{'promoted':>9}")
    print(f"{'world':<28}{'promoted':>9}{'harmful':>9}{'verdict':>9}{'median':>9}{'90 %':>9}{'median':>9}")
    with ProcessPoolExecutor(asked.processes) as pool:
        for world in WORLDS:
            ended = simulate(world, asked.trials, pool)
            print(told(world, ended), flush=True)
            if world == WORLDS[0]:
                nothing = ended
    print(f"\nno difference, ended by\n{by_check(nothing)}")
    rolled_back = sum(one.how != "promoted" for one in nothing) / len(nothing)
    print(f"\nfalse rollbacks at no difference: {rolled_back:.1%} (at most {FALSE_ALARMS:.0%})")
    print(f"{time.perf_counter() - began:.0f} seconds", file=sys.stderr)
    return 0 if rolled_back <= FALSE_ALARMS else 1


if __name__ == "__main__":
    sys.exit(main())
