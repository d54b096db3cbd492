"""Latency: one quantile, proven above a multiple of the champion's or above an objective in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from airflow_mlops.core.analysis.limits import LatencyLimits, StageLimits
from airflow_mlops.core.analysis.wording import milliseconds, rows_to_decide, strength
from airflow_mlops.core.gates import settle
from airflow_mlops.core.latencies import EDGES
from airflow_mlops.core.sequential import above_evidence, quantile_of, ratio_evidence
from airflow_mlops.core.values import ArmObservation, Observation, Verdict

BEYOND = 10
"""Where a target tells quantiles only, so many calls must lie beyond them in each arm before they are
compared: one slow call among two hundred is their p99."""


def judge_latency(observation: Observation, limits: StageLimits) -> Verdict:
    """Both checks. Where a target tells no counts but a p50 and p99, these are compared plainly: that is
    right at one look, and with many looks an alarm too many, which no rate bounds."""
    challenger, latency = observation.challenger, limits.latency
    slow = None if challenger is None else _quantile(challenger, observation.latency_edges, latency.quantile)
    if challenger is None or slow is None:
        measured = challenger is not None and challenger.latency_p99_seconds is not None
        told = f"{_name(latency)} is not told by this target" if measured else "latency was not measured"
        return Verdict("pass", (told,))
    parts = [_ratio(observation, challenger, slow, limits)]
    if latency.objective is not None:
        parts.append(_objective(observation, challenger, slow, latency.objective, limits))
    return settle(parts)


def _ratio(observation: Observation, challenger: ArmObservation, slow: float, limits: StageLimits) -> Verdict:
    latency, champion, edges = limits.latency, observation.champion, observation.latency_edges or EDGES
    fact = f"{_name(latency)} {milliseconds(slow)}"
    reference = None if champion is None else _quantile(champion, observation.latency_edges, latency.quantile)
    if champion is None or reference is None:
        return Verdict("pass", (f"{fact}; the champion's is not known, so it is not judged",))
    ratio = slow / reference if reference > 0 else inf
    fact = f"{fact}, {ratio:.2f} times the champion's {milliseconds(reference)}"
    limit = f"the limit {latency.max_ratio:.2f}"
    if slow <= latency.negligible:
        floor = milliseconds(latency.negligible)
        return Verdict("pass", (f"{fact}; within {floor}, below which ratios are not judged",))
    if not (challenger.latencies and champion.latencies):
        few = _too_few((challenger, champion), latency)
        return _plain(ratio > latency.max_ratio, fact, limit, few)
    evidence = ratio_evidence(
        challenger.latencies, champion.latencies, edges, latency.quantile, latency.max_ratio
    )
    above = ratio > latency.max_ratio
    return _proven(evidence, limits.needed_in_a_stage, above, fact, limit, challenger.rows)


def _objective(
    observation: Observation, challenger: ArmObservation, slow: float, objective: float, limits: StageLimits
) -> Verdict:
    edges, quantile, champion = observation.latency_edges, limits.latency.quantile, observation.champion
    fact, limit = f"{_name(limits.latency)} {milliseconds(slow)}", f"the objective {milliseconds(objective)}"
    theirs = None if champion is None else _quantile(champion, edges, quantile)
    if theirs is not None and theirs > objective:
        fact = f"{fact} (the champion's is {milliseconds(theirs)}: look at both)"
    if not challenger.latencies:
        return _plain(slow > objective, fact, limit, _too_few((challenger,), limits.latency))
    evidence = above_evidence(challenger.latencies, edges or EDGES, quantile, objective)
    return _proven(evidence, limits.needed_in_a_stage, slow > objective, fact, limit, challenger.rows)


def _proven(evidence: float, needed: float, above: bool, fact: str, limit: str, rows: int) -> Verdict:
    if evidence >= needed:
        return Verdict("fail", (f"{fact}, above {limit} ({strength(evidence, needed)})",))
    if evidence > 1:
        told = f"{fact}, likely above {limit}, but not proven ({strength(evidence, needed)})"
        return Verdict("inconclusive", (told + rows_to_decide(evidence, needed, rows),))
    chance = f"above {limit}, but so few calls that it may well be chance"
    return Verdict("pass", (f"{fact}, {chance if above else f'within {limit}'}",))


def _plain(above: bool, fact: str, limit: str, few: str | None) -> Verdict:
    if not above:
        return Verdict("pass", (f"{fact}, within {limit}",))
    if few is not None:
        return Verdict("inconclusive", (f"{fact}, above {limit}, but {few}",))
    return Verdict("fail", (f"{fact}, above {limit}",))


def _too_few(arms: Sequence[ArmObservation], latency: LatencyLimits) -> str | None:
    """Why plain quantiles cannot be compared yet, or None."""
    calls = min(arm.rows if arm.calls is None else arm.calls for arm in arms)
    wanted = round(BEYOND / min(latency.quantile, 1 - latency.quantile))
    return None if calls >= wanted else f"on {calls} calls, and {wanted} are needed in each arm"


def _quantile(arm: ArmObservation, edges: Sequence[float], quantile: float) -> float | None:
    if arm.latencies:
        return quantile_of(arm.latencies, edges or EDGES, quantile)
    return {0.5: arm.latency_p50_seconds, 0.99: arm.latency_p99_seconds}.get(quantile)


def _name(latency: LatencyLimits) -> str:
    return f"p{100 * latency.quantile:g} latency"
