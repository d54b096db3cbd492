"""What one look at a stage of a rollout, shadow or canary, proves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, fsum, inf, log, log1p

from airflow_mlops.core.gates import settle
from airflow_mlops.core.values import ArmObservation, Observation, RolloutMode, Verdict
from airflow_mlops.core.windows import Period

HARM_EVIDENCE = 20.0
"""Evidence at which errors count as proven: a harmless challenger reaches it with probability 1/20."""

LATENCY_FLOOR_SECONDS = 0.05
"""A challenger whose p99 is within this is fast enough; ratios of tiny latencies are noise."""

ALTERNATIVES = 8
"""The error rates that are weighed against the limit are limit**(1/8), limit**(2/8) ... limit**(7/8)."""


@dataclass(frozen=True, slots=True)
class StageLimits:
    """What a challenger may do in one stage.

    ``minimum_requests`` are rows the challenger must have answered; ``max_error_rate`` is errors per
    row; ``max_latency_ratio`` is its p99 over the champion's; ``max_disagreement`` is the share of
    shadowed rows that may be answered differently (None: not judged; it is never judged in a canary).
    ``minimum_duration`` is how long the stage must have been open, however many rows it has seen: a busy
    hour is not a day.
    """

    minimum_requests: int
    max_error_rate: float
    max_latency_ratio: float
    max_disagreement: float | None = None
    minimum_duration: Period | None = None

    def __post_init__(self) -> None:
        if self.minimum_requests < 1:
            raise ValueError("a stage needs at least one row: minimum_requests must be 1 or more")
        if not 0 <= self.max_error_rate <= 1:
            raise ValueError(f"max_error_rate is a share of the rows, not {self.max_error_rate}")


def judge_stage(
    observation: Observation,
    limits: StageLimits,
    *,
    mode: RolloutMode | None = None,
    weight: float | None = None,
    now: datetime | None = None,
) -> Verdict:
    """One look at a stage, at ``now``; inconclusive means look again.

    ``mode`` and ``weight`` name the stage that was asked for. An endpoint found in another one fails
    it, since somebody else moved the traffic and the numbers are not of this stage.

    Proven errors fail at once, however few rows there are; all else waits for ``minimum_requests`` and for
    ``minimum_duration`` (without ``now`` no time has passed). The proof may be looked for after every row:
    see ``error_evidence``. A pass is a plain comparison of the observed rate with the limit and proves no
    more than that.

    The latency test is a plain ratio of the arms' p99, without a bound for repeated looks; it needs
    ``minimum_requests`` rows in both arms and a challenger slower than ``LATENCY_FLOOR_SECONDS``.
    """
    routing = _routing_fault(observation, mode, weight)
    if routing is not None:
        return Verdict("fail", (routing,))
    challenger = observation.challenger
    if challenger is None:
        return Verdict("inconclusive", (f"0 of {limits.minimum_requests} rows",))
    errors = _judge_errors(challenger, observation.champion, limits)
    if errors.outcome == "fail":
        return errors
    if challenger.rows < limits.minimum_requests:
        return Verdict("inconclusive", (f"{challenger.rows} of {limits.minimum_requests} rows",))
    if (early := _too_early(observation.since, limits.minimum_duration, now)) is not None:
        return Verdict("inconclusive", (early, *errors.reasons))
    parts = [errors, _judge_latency(challenger, observation.champion, limits)]
    if observation.mode == "shadow" and limits.max_disagreement is not None:
        parts.append(_judge_disagreement(observation.disagreements, challenger.rows, limits.max_disagreement))
    return settle(parts)


def error_evidence(errors: int, rows: int, limit: float) -> float:
    """Evidence that the error rate is above ``limit``: an e-value, 1 before the first row.

    The mean likelihood ratio of fixed alternatives above the limit against the limit itself. Each ratio
    is a supermartingale whenever the true rate is at or below the limit, so the chance that the mean ever
    reaches 20, at any of any number of looks, is at most 1/20 (Ville's inequality; Ramdas et al.,
    Statistical Science 2023;38:576). Rows are taken as independent: where one failing call spoils a
    whole request of many rows, the evidence is overstated.

    Raises ``ValueError`` for counts that cannot be.
    """
    if not 0 <= errors <= rows:
        raise ValueError(f"{errors} errors in {rows} rows cannot be")
    if limit > 1 - 1e-9:  # no rate can be told from one above it
        return 1.0
    if limit <= 0:
        return inf if errors else 1.0
    ratios = []
    for step in range(1, ALTERNATIVES):
        rate = limit ** (step / ALTERNATIVES)
        ratios.append(errors * log(rate / limit) + (rows - errors) * (log1p(-rate) - log1p(-limit)))
    peak = max(ratios)
    total = peak + log(fsum(exp(ratio - peak) for ratio in ratios) / len(ratios))
    # The cap keeps exp() finite; it is far beyond any decision.
    return exp(min(total, 700.0))


def _routing_fault(observation: Observation, mode: RolloutMode | None, weight: float | None) -> str | None:
    seen = f"{observation.mode} at weight {observation.weight:g}"
    if observation.mode == "none":
        return f"the endpoint has no stage of {observation.rollout_id} open: somebody else moved the traffic"
    if mode is not None and observation.mode != mode:
        return f"the endpoint is in {seen}, not in {mode}: somebody else moved the traffic"
    if weight is not None and abs(observation.weight - weight) > 1e-9:
        return f"the endpoint is in {seen}, not at {weight:g}: somebody else moved the traffic"
    return None


def _too_early(since: datetime, minimum: Period | None, now: datetime | None) -> str | None:
    """Why it is too early for a verdict, or None."""
    passed = max(timedelta(0), (now or since) - since)
    if minimum is None or since + passed >= minimum.after(since):
        return None
    return f"open for {timedelta(seconds=int(passed.total_seconds()))} (h:mm:ss) of at least {minimum}"


def _judge_errors(
    challenger: ArmObservation, champion: ArmObservation | None, limits: StageLimits
) -> Verdict:
    if challenger.rows == 0:
        return Verdict("inconclusive", ("no row has been answered",))
    rate = challenger.errors / challenger.rows
    fact = f"{challenger.errors} of {challenger.rows} rows failed ({_percent(rate)})"
    limit = f"the limit {_percent(limits.max_error_rate)}"
    evidence = error_evidence(challenger.errors, challenger.rows, limits.max_error_rate)
    if evidence >= HARM_EVIDENCE:
        strength = (
            "beyond doubt" if evidence > 1e6 else f"evidence {evidence:.0f}, {HARM_EVIDENCE:.0f} needed"
        )
        return Verdict("fail", (f"{fact}, above {limit} ({strength}){_same_of(champion, limits)}",))
    if rate > limits.max_error_rate:
        needed = f"evidence {evidence:.1f}, {HARM_EVIDENCE:.0f} needed"
        return Verdict("inconclusive", (f"{fact}, above {limit}, but not proven ({needed})",))
    return Verdict("pass", (f"{fact}, within {limit}",))


def _same_of(champion: ArmObservation | None, limits: StageLimits) -> str:
    if champion is None or champion.rows == 0 or champion.errors <= limits.max_error_rate * champion.rows:
        return ""
    rate = _percent(champion.errors / champion.rows)
    return f"; the champion fails too, on {champion.errors} of {champion.rows} rows ({rate}): look at both"


def _judge_latency(
    challenger: ArmObservation, champion: ArmObservation | None, limits: StageLimits
) -> Verdict:
    slow = challenger.latency_p99_seconds
    if slow is None:
        return Verdict("pass", ("latency was not measured",))
    fact = f"p99 latency {1000 * slow:.0f} ms"
    if champion is None or champion.latency_p99_seconds is None:
        return Verdict("pass", (f"{fact}; the champion's is not known, so it is not judged",))
    if champion.rows < limits.minimum_requests:
        few = f"{champion.rows} of {limits.minimum_requests} rows"
        return Verdict("pass", (f"{fact}; the champion has {few}, so it is not judged",))
    reference = champion.latency_p99_seconds
    ratio = slow / reference if reference > 0 else inf
    fact = f"{fact}, {ratio:.2f} times the champion's {1000 * reference:.0f} ms"
    if ratio <= limits.max_latency_ratio:
        return Verdict("pass", (f"{fact}, within the limit {limits.max_latency_ratio:.2f}",))
    if slow <= LATENCY_FLOOR_SECONDS:
        floor = f"{1000 * LATENCY_FLOOR_SECONDS:.0f} ms"
        return Verdict("pass", (f"{fact}, but within {floor}, below which ratios are not judged",))
    return Verdict("fail", (f"{fact}, above the limit {limits.max_latency_ratio:.2f}",))


def _judge_disagreement(disagreements: int, rows: int, limit: float) -> Verdict:
    share = disagreements / rows
    fact = f"champion and challenger differ on {disagreements} of {rows} rows ({_percent(share)})"
    if share > limit:
        return Verdict("fail", (f"{fact}, above the limit {_percent(limit)}",))
    return Verdict("pass", (f"{fact}, within the limit {_percent(limit)}",))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
