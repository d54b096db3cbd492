"""The page of a retraining decision: what was decided and why, by which policy, and what became of the last
retrainings."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_mlops.core.retraining import CauseCheck, Decision, Policy, Situation, Training
from airflow_mlops.core.retraining.standing_causes import shown
from airflow_mlops.steps.document import Section, as_html

_MOST_TRAININGS = 12
_SAID = {"retrain": "Training is asked for.", "keep": "The champion is kept.", "refuse": "No training."}


def decision_page(
    model: str, policy: Policy, at: Situation, checks: Sequence[CauseCheck], decision: Decision
) -> bytes:
    """As HTML."""
    return as_html(
        f"{model}: retraining, {at.latest.window}",
        [
            Section("Decision", (_SAID[decision.action], *decision.reasons)),
            Section("Is the cause of the last retraining gone?", tuple(_answers(checks))),
            _windows(policy, at),
            _trainings(policy, at),
            _policy(policy),
        ],
    )


def _answers(checks: Sequence[CauseCheck]) -> list[str]:
    return [f"{check.reasons[0]}: {'; '.join(check.reasons[1:])}".removesuffix(": ") for check in checks]


def _windows(policy: Policy, at: Situation) -> Section:
    by_end = {item.window.end: item for item in at.earlier if item.window.end < at.latest.window.end}
    by_end[at.latest.window.end] = at.latest
    newest = [by_end[end] for end in sorted(by_end, reverse=True)[: max(policy.n, 3)]]
    rows = tuple(
        (
            item.window,
            item.version or "unknown",
            item.rows if item.rows is not None else "unknown",
            _word(item.drifted if item.compared else None),
            _word(item.decayed),
            item.upstream_fault or "",
        )
        for item in newest
    )
    header = ("window", "champion", "rows", "drift", "decay", "upstream fault")
    return Section("Windows", (), header, rows)


def _word(seen: bool | None) -> str:
    return "not known" if seen is None else "yes" if seen else "no"


def _trainings(policy: Policy, at: Situation) -> Section:
    newest = at.history.trainings[: -_MOST_TRAININGS - 1 : -1]
    rows = tuple(
        (
            shown(training.end),
            " and ".join(training.causes).replace("_", " ") or "unknown",
            training.version or "",
            training.state.replace("_", " "),
            _helped(training, policy, at),
        )
        for training in newest
    )
    return Section("Latest trainings", (), ("data up to", "cause", "version", "state", "did it help?"), rows)


def _helped(training: Training, policy: Policy, at: Situation) -> str:
    if not training.is_automatic:
        return "not asked for by monitoring"
    return _word(training.helped(policy, at.end))


def _policy(policy: Policy) -> Section:
    breaker = (
        f"after {policy.breaker} that did not help, for {policy.breaker_rest}" if policy.breaker else "off"
    )
    rows = (
        ("causes", ", ".join(sorted(policy.causes))),
        ("bad windows", f"{policy.k} of {policy.n}"),
        ("new rows", policy.minimum_rows),
        ("cool-down", policy.cooldown),
        ("budget", f"{policy.budget} in {policy.budget_period}"),
        ("circuit breaker", breaker),
        ("maximum age", policy.maximum_age or "none"),
        ("quiet hours", f"{len(policy.quiet)} stretches, {policy.timezone}" if policy.quiet else "none"),
    )
    return Section("Policy", (), ("what", "setting"), rows)
