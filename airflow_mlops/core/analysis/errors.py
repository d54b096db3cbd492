"""Errors: proven above the limit, or proven more frequent than the champion's."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_mlops.core.analysis.counts import StageCounts
from airflow_mlops.core.analysis.limits import StageLimits
from airflow_mlops.core.analysis.wording import percent, rows_to_decide, strength
from airflow_mlops.core.gates import settle
from airflow_mlops.core.sequential import excess_evidence, rate_evidence
from airflow_mlops.core.values import ArmObservation, Observation, Verdict


def judge_errors(observation: Observation, limits: StageLimits, earlier: Sequence[StageCounts]) -> Verdict:
    """Both checks, or what of them is proven. ``earlier`` are the counts of the rollout's earlier stages,
    which are the same evidence.

    Evidence counts calls, since a call fails as a whole; what is told counts rows. A stage is held while its
    own rate is above the limit, or while all that was seen speaks for more errors than the champion's rather
    than against it.
    """
    challenger, counts = observation.challenger, StageCounts.of(observation)
    if challenger is None or challenger.rows == 0:
        return Verdict("inconclusive", ("no row has been answered",))
    stages = [*earlier, *([] if counts is None else [counts])]
    parts = [_absolute(challenger, observation.champion, stages, limits)]
    if any(stage.champion_calls for stage in stages):
        parts.append(_relative(challenger, observation.champion, stages, limits))
    return settle([part for part in parts if part.outcome == "fail"] or parts)


def _absolute(
    challenger: ArmObservation,
    champion: ArmObservation | None,
    stages: Sequence[StageCounts],
    limits: StageLimits,
) -> Verdict:
    highest, needed = limits.errors.max_rate, limits.needed
    fact = _failed(challenger)
    limit = f"the limit {percent(highest)}"
    calls, failed = sum(stage.calls for stage in stages), sum(stage.failed for stage in stages)
    evidence = rate_evidence(failed, calls, highest)
    if evidence >= needed:
        told = f"{fact}, above {limit} ({strength(evidence, needed)}{_since(stages)})"
        return Verdict("fail", (told + _same_of(champion, highest),))
    if challenger.errors > highest * challenger.rows:
        more = rows_to_decide(evidence, needed, challenger.rows)
        told = f"{fact}, above {limit}, but not proven ({strength(evidence, needed)}){more}"
        return Verdict("inconclusive", (told,))
    return Verdict("pass", (f"{fact}, within {limit}",))


def _relative(
    challenger: ArmObservation,
    champion: ArmObservation | None,
    stages: Sequence[StageCounts],
    limits: StageLimits,
) -> Verdict:
    needed, ratio = limits.needed, limits.errors.max_ratio
    evidence = excess_evidence([stage.events for stage in stages], tolerated=ratio)
    theirs = "of the champion none" if champion is None else f"the champion: {_failed(champion)}"
    more = "more" if ratio == 1 else f"more than {ratio:g} times the champion's rate"
    calls, failed = sum(stage.calls for stage in stages), sum(stage.failed for stage in stages)
    if failed <= limits.errors.negligible * calls:
        return Verdict("pass", (f"{theirs}",))
    if evidence >= needed:
        told = f"{_failed(challenger)}, {theirs}: {more} ({strength(evidence, needed)}{_since(stages)})"
        return Verdict("fail", (told,))
    if evidence > 1:
        decide = rows_to_decide(evidence, needed, challenger.rows)
        told = f"{theirs}; that the challenger has {more} is likely, but not proven"
        return Verdict("inconclusive", (f"{told} ({strength(evidence, needed)}{_since(stages)}){decide}",))
    return Verdict("pass", (f"{theirs}; nothing speaks for {more} of the challenger's",))


def _failed(arm: ArmObservation) -> str:
    if arm.rows == 0:
        return "no rows"
    told = f"{arm.errors} of {arm.rows} rows failed ({percent(arm.errors / arm.rows)})"
    if arm.failed_calls and arm.calls != arm.rows:
        told = f"{told}, in {arm.failed_calls} of {arm.calls} calls"
    return told


def _since(stages: Sequence[StageCounts]) -> str:
    return "" if len(stages) < 2 else f", over {len(stages)} stages"


def _same_of(champion: ArmObservation | None, limit: float) -> str:
    if champion is None or champion.rows == 0 or champion.errors <= limit * champion.rows:
        return ""
    rate = percent(champion.errors / champion.rows)
    return f"; the champion fails too, on {champion.errors} of {champion.rows} rows ({rate}): look at both"
