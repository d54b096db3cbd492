"""Each detector says what river's says, number by number: river is the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import pytest
from river.drift import ADWIN, KSWIN, PageHinkley
from river.drift.binary import DDM, EDDM
from scipy.stats import ks_2samp

from airflow_mlops.core.detectors import Adwin, Ddm, Detector, Eddm, Kswin
from airflow_mlops.core.detectors import PageHinkley as OurPageHinkley
from airflow_mlops.core.detectors.kswin import ks_p_value


def levels(seed: int, shift: float) -> list[float]:
    """Forty quiet numbers, sixty that lie ``shift`` above, thirty that are quiet again."""
    random = Random(seed)
    return [random.gauss(shift if 40 <= place < 100 else 0.0, 1.0) for place in range(130)]


def bits(seed: int, after: float) -> list[float]:
    random = Random(seed)
    return [float(random.random() < (after if 150 <= place < 350 else 0.2)) for place in range(450)]


def ours(detector: Detector, stream: Iterable[float]) -> list[str]:
    said = {"drift": "drift", "improved": "drift", "warning": "warning", "quiet": "quiet"}
    return [said[detector.update(value)] for value in stream]


def rivers(detector: Any, stream: Iterable[float]) -> list[str]:
    said = []
    for value in stream:
        detector.update(value)
        warned = getattr(detector, "warning_detected", False)
        said.append("drift" if detector.drift_detected else "warning" if warned else "quiet")
    return said


STREAMS = [(seed, shift) for seed in range(6) for shift in (0.0, 1.0, 3.0)]
PAIRS: list[tuple[Callable[[], Detector], Callable[[], Any]]] = [
    (
        lambda: OurPageHinkley(delta=0.5, threshold=8.0, minimum=10),
        # river forgets a little at each step unless alpha is 1.
        lambda: PageHinkley(min_instances=10, delta=0.5, threshold=8.0, alpha=1.0, mode="up"),
    ),
    (
        lambda: Adwin(delta=0.01, minimum=1),
        # As many buckets as numbers, and a look at each: river's window is then kept whole as well.
        lambda: ADWIN(delta=0.01, clock=1, max_buckets=500, min_window_length=1, grace_period=1),
    ),
    (
        lambda: Kswin(alpha=0.005, window=40, recent=10, seed=3),
        lambda: KSWIN(alpha=0.005, window_size=40, stat_size=10, seed=3),
    ),
]


@pytest.mark.parametrize("pair", PAIRS, ids=["page_hinkley", "adwin", "kswin"])
def test_a_detector_of_levels_says_what_rivers_says(pair) -> None:
    drifts = 0
    for seed, shift in STREAMS:
        stream = levels(seed, shift)
        said, rivers_said = (
            up_to_the_first_alarm(some) for some in (ours(pair[0](), stream), rivers(pair[1](), stream))
        )
        assert said == rivers_said, (seed, shift)
        drifts += said[-1] == "drift"
    assert drifts >= 6


def up_to_the_first_alarm(said: list[str]) -> list[str]:
    """After it river's ADWIN and KSWIN forget all there was; ours keep what came after the change."""
    return said[: said.index("drift") + 1] if "drift" in said else said


@pytest.mark.parametrize(
    "pair",
    [
        (lambda: Ddm(drift=3.0, minimum=20), lambda: DDM(warm_start=20)),
        (
            lambda: Eddm(warning=0.9, drift=0.8, minimum=15),
            lambda: EDDM(warm_start=15, alpha=0.9, beta=0.8),
        ),
    ],
    ids=["ddm", "eddm"],
)
def test_a_detector_of_bits_says_what_rivers_says(pair) -> None:
    seen = set()
    for seed in range(20):
        for after in (0.2, 0.4, 0.8):
            stream = bits(seed, after)
            said = ours(pair[0](), stream)
            assert said == rivers(pair[1](), stream), (seed, after)
            seen |= set(said)
    assert seen == {"quiet", "warning", "drift"}


def test_the_p_value_of_two_samples_is_scipys_exact_one() -> None:
    random = Random(1)
    for size in (2, 7, 10, 30):
        for _ in range(10):
            one = [random.gauss(0, 1) for _ in range(size)]
            other = [random.gauss(0.7, 1) for _ in range(size)]
            exact = ks_2samp(one, other, method="exact").pvalue
            assert ks_p_value(one, other) == pytest.approx(exact, rel=1e-9)
