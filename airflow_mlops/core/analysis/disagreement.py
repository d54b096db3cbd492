"""Does a shadow answer otherwise on more rows than it may?"""

from __future__ import annotations

from airflow_mlops.core.analysis.limits import StageLimits
from airflow_mlops.core.analysis.wording import percent, rows_to_decide
from airflow_mlops.core.sequential import share_evidence, share_sequence
from airflow_mlops.core.values import Observation, Verdict


def judge_disagreement(observation: Observation, limits: StageLimits) -> Verdict | None:
    """Of a shadow, on the rows that both answered; None where there is nothing to judge.

    It fails once the whole interval of the share is above the limit, and is held while only the share is.
    """
    challenger, limit = observation.challenger, limits.max_disagreement
    if observation.mode != "shadow" or challenger is None or limit is None:
        return None
    if observation.disagreements is None:
        return Verdict("pass", ("answers were not compared: the target does not see the shadow's",))
    rows = challenger.rows - challenger.errors
    if rows <= 0:
        return Verdict("inconclusive", ("no row has been answered by both versions",))
    differing = min(observation.disagreements, rows)
    low, high = share_sequence(differing, rows, limits.alpha)
    fact = (
        f"champion and challenger differ on {differing} of {rows} rows ({percent(differing / rows)}; "
        f"{percent(low)} to {percent(high)} at all looks)"
    )
    if low > limit:
        return Verdict("fail", (f"{fact}, above the limit {percent(limit)}",))
    if differing > limit * rows:
        evidence = share_evidence(differing, rows, 0.0, limit)
        more = rows_to_decide(evidence, limits.needed, rows)
        return Verdict("inconclusive", (f"{fact}, above the limit {percent(limit)}, but not proven{more}",))
    return Verdict("pass", (f"{fact}, within the limit {percent(limit)}",))
