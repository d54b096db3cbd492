"""What a challenger is held to, and how sure a verdict against it must be."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_mlops.core.windows import Period


@dataclass(frozen=True, slots=True)
class ErrorLimits:
    """``max_rate`` is errors per call, whatever the champion's; ``max_ratio`` how many times the champion's
    rate is borne. Of a challenger whose rate is within ``negligible`` no ratio is judged: three errors in a
    million calls are three times one, and nobody's concern."""

    max_rate: float = 0.01
    max_ratio: float = 1.0
    negligible: float = 0.001

    def __post_init__(self) -> None:
        if not 0 <= self.max_rate <= 1:
            raise ValueError(f"max_rate is a share of the calls, not {self.max_rate}")
        if not self.max_ratio >= 1:
            raise ValueError(f"a max_ratio of {self.max_ratio} asks for fewer errors than the champion's")


@dataclass(frozen=True, slots=True)
class LatencyLimits:
    """``quantile`` is the one that is judged: ``max_ratio`` bounds the challenger's over the champion's,
    ``objective`` bounds it in seconds, whatever the champion's. Within ``negligible`` seconds a challenger is
    fast enough, and no ratio is judged."""

    quantile: float = 0.99
    max_ratio: float = 1.5
    objective: float | None = None
    negligible: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.quantile < 1:
            raise ValueError(f"a quantile lies between 0 and 1, {self.quantile} does not")
        if not self.max_ratio >= 1:
            raise ValueError(f"a max_ratio of {self.max_ratio} asks for a faster challenger")
        if self.objective is not None and not self.objective > 0:
            raise ValueError(f"no call takes {self.objective} seconds")


@dataclass(frozen=True, slots=True)
class StageLimits:
    """What a challenger may do in one stage, and what its verdict needs.

    ``minimum_requests`` are rows the challenger must have answered; ``minimum_duration`` is how long the
    stage must have been open, however many rows it has seen: a busy hour is not a day.
    ``split_tolerance`` is how far the challenger's share of the rows may be off, as a part of the smaller
    arm's share (None: not judged); ``max_disagreement`` is the share of shadowed rows that may be answered
    differently (None: not judged; it is never judged in a canary).

    ``false_alarm_rate`` is the chance that a challenger that keeps to all limits is ever proven not to, in
    all looks at all ``stages`` of its rollout together. The checks share it equally; ``other_checks`` are
    those that are judged elsewhere.
    """

    minimum_requests: int
    errors: ErrorLimits = field(default_factory=ErrorLimits)
    latency: LatencyLimits = field(default_factory=LatencyLimits)
    split_tolerance: float | None = 0.5
    max_disagreement: float | None = None
    minimum_duration: Period | None = None
    false_alarm_rate: float = 0.05
    stages: int = 1
    other_checks: int = 0

    def __post_init__(self) -> None:
        if self.minimum_requests < 1:
            raise ValueError("a stage needs at least one row: minimum_requests must be 1 or more")
        if not 0 < self.false_alarm_rate < 1:
            raise ValueError(f"false_alarm_rate is a chance between 0 and 1, not {self.false_alarm_rate}")
        if self.stages < 1 or self.other_checks < 0:
            raise ValueError(f"no rollout has {self.stages} stages and {self.other_checks} more checks")

    @property
    def checks(self) -> int:
        """How many checks share the false alarms: both of errors, the latencies', the split's, the
        disagreement's, and those that are judged elsewhere."""
        optional = (self.latency.objective, self.split_tolerance, self.max_disagreement)
        return 3 + sum(limit is not None for limit in optional) + self.other_checks

    @property
    def alpha(self) -> float:
        """One check's part of the false alarms."""
        return self.false_alarm_rate / self.checks

    @property
    def needed(self) -> float:
        """Evidence at which a check that is carried through the stages has proven its point."""
        return 1 / self.alpha

    @property
    def needed_in_a_stage(self) -> float:
        """The same of a check that begins anew at each stage."""
        return self.stages / self.alpha
