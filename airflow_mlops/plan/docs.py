"""What the UI says of each DAG, written for the person who is paged at night."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.alerts import Alert
from airflow_mlops.config.parts.deploy import Deploy, Strategy
from airflow_mlops.config.parts.retraining import Retraining
from airflow_mlops.core.news import EVENTS
from airflow_mlops.core.waiting import OnInconclusive
from airflow_mlops.plan.graph import DagRole, Trigger
from airflow_mlops.plan.trigger_words import trigger_in_words

_LEVELS: Mapping[int, str] = {
    1: "continuous training",
    2: "automatic delivery",
    3: "autonomous retraining",
}

_LATE: Mapping[OnInconclusive, str] = {
    "roll_back": "rolls back",
    "hold": "is held with the traffic as it is, until there is one",
    "promote_if_unharmed": "passes if nothing bad was seen",
}

_STEPS: Mapping[Strategy, str] = {
    "shadow": "",
    "canary": "",
    "blue_green": " with the champion held ready",
    "ab": " for as long as the test lasts",
    "direct": "",
}

_PURPOSES: Mapping[DagRole, str] = {
    "train": "Trains, judges and registers",
    "deploy": "Rolls out the newest challenger of",
    "rollback": "Puts an earlier champion back of",
    "score": "Scores rows with the champion of",
    "monitor": "Watches the champion of",
}


def dag_description(config: ModelConfig, role: DagRole) -> str:
    """``Train: will a flight arrive late?``, for Airflow's list of DAGs."""
    about = config.description.strip().partition("\n")[0] or config.task.replace("_", " ")
    return f"{role.capitalize()}: {about}"


def dag_doc(config: ModelConfig, digest: str, role: DagRole, trigger: Trigger) -> str:
    """A DAG's own page: what the model is, when this DAG runs, what it must prove, who owns it, and which
    configuration it came from; each task checks that it is still this one."""
    about = config.description.strip() or f"A model for {config.task.replace('_', ' ')}."
    parts = [
        f"{_PURPOSES[role]} `{config.model}`.",
        about,
        f"**Runs** {trigger_in_words(trigger)}.{_end_in_words(trigger)}",
        *_ROLE_DOCS[role](config),
        *_alert_docs(config, role),
        f"**Owner**: {config.owner}. **Level** {config.level}: {_LEVELS[config.level]}.",
        f"**Configuration** `{digest[:12]}`.",
    ]
    return "\n\n".join(parts) + "\n"


def _end_in_words(trigger: Trigger) -> str:
    if not trigger.has_clock or trigger.end is None:
        return ""
    return f" The schedule ends on {trigger.end:%Y-%m-%d}; runs by hand go on."


def _train_doc(config: ModelConfig) -> list[str]:
    window = config.data.window
    rows = f"the last {window.length}" if window.start is None else f"all rows since {window.start:%Y-%m-%d}"
    gates = "\n".join(f"- {rule.in_words}" for rule in config.gates.rules)
    grouped = f", no {config.data.group} on both sides" if config.data.group else ""
    first = {
        "thresholds_only": "A first model is judged without the comparisons.",
        "refuse": "A first model is refused.",
    }[config.gates.bootstrap]
    return [
        f"**Trains** on {rows}; {config.data.holdout.in_words} are held out{grouped}.",
        *_tuning_doc(config),
        f"**Gates**, on at least {config.gates.minimum_rows} holdout rows:\n\n{gates}\n\n{first}",
        *_held(config),
        *_started(config),
    ]


def _started(config: ModelConfig) -> list[str]:
    if not config.retraining.enabled:
        return []
    return [
        f"**Started as well** by `{config.model}.monitor`, by the retraining policy: the cause is in the "
        "run's conf and note."
    ]


def _held(config: ModelConfig) -> list[str]:
    """What becomes of a challenger that did not pass, where that is more than to hold it."""
    gates = config.gates
    asked = [
        word
        for word, rule in (("fails", gates.on_fail), ("is inconclusive", gates.on_inconclusive))
        if rule == "ask"
    ]
    told = []
    if asked:
        told.append(f"**Asks** a person who may override the gates where one {' or '.join(asked)}.")
    if gates.on_inconclusive == "collect":
        told.append("**Holds out more rows** after a verdict that was inconclusive.")
    return told


def _tuning_doc(config: ModelConfig) -> list[str]:
    if (tuning := config.tuning) is None:
        return []
    limit = "" if tuning.minutes is None else f" or {tuning.minutes:g} minutes"
    often = "before each training" if tuning.every is None else f"every {tuning.every}"
    return [
        f"**Tunes** {', '.join(tuning.space)} by {tuning.metric} {often}: {tuning.trials} trials{limit}, "
        f"{tuning.parallel} at a time."
    ]


def _deploy_doc(config: ModelConfig) -> list[str]:
    deploy = config.deploy
    asked = "after a person has approved" if deploy.approval else "without asking anybody"
    stages = list(_stages_in_words(deploy))
    rolls_out = f"**Rolls out** {asked}: {', then '.join([*stages, 'all of the rows'])}."
    if not stages:
        return [rolls_out]
    return [f"{rolls_out} A stage without a verdict after {deploy.deadline} {_LATE[deploy.on_inconclusive]}."]


def _rollback_doc(_: ModelConfig) -> list[str]:
    return [
        "**Trigger it** where the champion does harm: with a reason, and a version if it is not the champion "
        "before the present one. An open rollout is ended first. The version is asked for known rows before "
        "alias and traffic move, and both are read back; the ledger keeps the reason, and who asked."
    ]


def _stages_in_words(deploy: Deploy) -> Iterator[str]:
    if deploy.shadows:
        yield f"shadow{_at_least(deploy.shadow.minimum_duration)}"
    if deploy.weights:
        steps = ", ".join(f"{100 * step:g} %" for step in deploy.weights)
        yield f"{steps} of the rows{_STEPS[deploy.strategy]}{_at_least(deploy.analysis.minimum_duration)}"


def _at_least(minimum: str | None) -> str:
    return f" (at least {minimum})" if minimum else ""


def _score_doc(config: ModelConfig) -> list[str]:
    if (score := config.score) is None:
        return []
    who = {
        "now": "the champion of the moment",
        "then": "the version that was champion when the partition ended",
    }[score.champion]
    told = [
        f"**Scores** each {score.partition} of rows with {who}, and writes it whole to "
        f"`{score.folder(config.model, '<partition>')}`; a run for the same rows replaces it."
    ]
    if score.shadow_share:
        told.append(
            f"**Shadows** a challenger, if there is one, on {100 * score.shadow_share:g} % of the rows."
        )
    return told


def _monitor_doc(config: ModelConfig) -> list[str]:
    drift = config.monitor.drift
    told = _policy_in_words(config.retraining)
    share = f"{100 * drift.share:g} %"
    return [f"**Watches** for {drift.method} of {drift.threshold:g} or more in {share} of the columns.", told]


def _policy_in_words(policy: Retraining) -> str:
    if not policy.enabled:
        return "**Reports only**: retraining by policy is off."
    seen = [cause for cause in policy.causes if cause in ("drift", "decay")]
    facts = {
        "age": f"once the champion's data are {policy.maximum_age} old",
        "code": "when its training code has changed",
        "config": "when the configuration of its training has changed",
    }
    causes = [
        *([f"on {' or '.join(seen)} in {policy.k} of the last {policy.n} windows"] if seen else []),
        *(words for cause, words in facts.items() if cause in policy.causes),
    ]
    breaker = (
        f" It stops for {policy.breaker.rest} after {policy.breaker.after} retrainings that did not help."
        if policy.breaker.after
        else ""
    )
    quiet = f" No retraining begins in {len(policy.quiet)} stretches of quiet hours." if policy.quiet else ""
    return (
        f"**Retrains** {', and '.join(causes)}; at most once per {policy.cooldown} and {policy.budget} times "
        f"per {policy.budget_period}.{breaker}{quiet}"
    )


def _alert_docs(config: ModelConfig, role: DagRole) -> list[str]:
    lines: list[str] = []
    if told := _named(config.alerts.on_failure):
        limit = getattr(config.alerts.deadline, role, None)
        late = f", or when a run is not over within {limit}" if limit else ""
        lines.append(f"**Tells** {told} when a task fails for good{late}.")
    for route in config.alerts.routes:
        of = [event for event in route.events or EVENTS if EVENTS[event].found_by == role]
        if of:
            what = ", ".join(of).replace("_", " ")
            lines.append(f"**Tells** {_named(route.to)} of {what}, from {route.floor} on.")
    return lines


def _named(told: Sequence[Alert]) -> str:
    return " and ".join(f"{alert.type} ({alert.conn_id})" for alert in told)


_ROLE_DOCS = {
    "train": _train_doc,
    "deploy": _deploy_doc,
    "rollback": _rollback_doc,
    "score": _score_doc,
    "monitor": _monitor_doc,
}
