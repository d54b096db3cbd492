"""Does the challenger get the share of the rows that was asked for?"""

from __future__ import annotations

from airflow_mlops.core.analysis.limits import StageLimits
from airflow_mlops.core.analysis.wording import percent, strength
from airflow_mlops.core.sequential import share_evidence
from airflow_mlops.core.values import Observation, Verdict

SMALLEST_ARM = 0.05
"""At weight 1 the smaller arm has no share to be off by a part of; it is taken to have this one."""


def judge_split(observation: Observation, limits: StageLimits) -> Verdict | None:
    """Of a canary; None where there is nothing to judge.

    A split that is proven wrong is a fault of the routing, not of the challenger; but what its stage counted
    is of other callers than was meant, and nothing is promoted on it. The split sticks to keys, so the rows
    are not independent: one busy key weighs as much as a thousand others, and stays on its side. Hence
    the tolerance beside the evidence: the share must be proven to lie outside of a range.
    """
    challenger, champion, tolerance = observation.challenger, observation.champion, limits.split_tolerance
    if observation.mode != "canary" or challenger is None or champion is None or tolerance is None:
        return None
    rows, weight = challenger.rows + champion.rows, observation.weight
    if rows == 0:
        return None
    smaller = min(weight, 1 - weight) or SMALLEST_ARM
    low, high = max(0.0, weight - tolerance * smaller), min(1.0, weight + tolerance * smaller)
    evidence = share_evidence(challenger.rows, rows, low, high)
    got = percent(challenger.rows / rows)
    fact = f"{got} of the rows went to the challenger, {percent(weight)} was asked for"
    borne = f"outside of {percent(low)} to {percent(high)}"
    if evidence >= limits.needed_in_a_stage:
        proof = strength(evidence, limits.needed_in_a_stage)
        told = (
            f"{fact}: {borne} ({proof}). The routing is at fault; what this stage counted is not of the "
            "callers that were meant, so look at the target's weights before the next rollout"
        )
        return Verdict("fail", (told,))
    if evidence > 1:
        proof = strength(evidence, limits.needed_in_a_stage)
        return Verdict("inconclusive", (f"{fact}: likely {borne}, but not proven ({proof})",))
    return Verdict("pass", (fact,))
