"""The presets of the three levels, and what a level needs the rest of the file to say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from airflow_mlops.config.alert_checks import alert_checks
from airflow_mlops.config.beyond_checks import beyond_checks
from airflow_mlops.config.drift_checks import drift_checks
from airflow_mlops.config.gate_checks import gate_checks
from airflow_mlops.config.model_gate_checks import model_gate_checks
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.asking import Approval
from airflow_mlops.config.parts.retraining import Cause, Retraining
from airflow_mlops.config.parts.splits import NewestHoldout
from airflow_mlops.config.parts.upstream_faults import FaultSeverity
from airflow_mlops.config.performance_checks import performance_checks
from airflow_mlops.config.problems import KeyPath
from airflow_mlops.config.rollout_checks import rollout_checks
from airflow_mlops.config.score_checks import score_checks
from airflow_mlops.core.values import LOG_COLUMNS
from airflow_mlops.core.windows import Period


@dataclass(frozen=True, slots=True)
class Preset:
    """What a level fills in where the file is silent."""

    preflight: bool
    automatic: bool
    approval: bool
    retraining: bool
    upstream_faults: FaultSeverity
    healing: bool


OWN_ASSETS = frozenset({"challenger", "champion", "drift", "decay", "retrain", "predictions"})

PRESETS: dict[int, Preset] = {
    1: Preset(
        preflight=False,
        automatic=False,
        approval=True,
        retraining=False,
        upstream_faults="warning",
        healing=False,
    ),
    2: Preset(
        preflight=True,
        automatic=True,
        approval=False,
        retraining=False,
        upstream_faults="critical",
        healing=False,
    ),
    3: Preset(
        preflight=True,
        automatic=True,
        approval=False,
        retraining=True,
        upstream_faults="critical",
        healing=True,
    ),
}


def with_presets(config: ModelConfig) -> ModelConfig:
    """A copy in which preflight.enabled, deploy.automatic, deploy.approval, retraining.enabled, retraining's
    k and n, healing.enabled and validation.upstream_faults.severity are given. A cause that was not asked
    for by name is left out where monitoring could never see it.
    """
    preset = PRESETS[config.level]
    preflight, deploy, retraining = config.preflight, config.deploy, config.retraining
    k, n = _k_of_n(retraining, config.monitor.window)
    faults = config.validation.upstream_faults
    severity = faults.severity or preset.upstream_faults
    return config.model_copy(
        update={
            "validation": config.validation.model_copy(
                update={"upstream_faults": faults.model_copy(update={"severity": severity})}
            ),
            "preflight": preflight.model_copy(
                update={"enabled": _given(preflight.enabled, preset.preflight)}
            ),
            "deploy": deploy.model_copy(
                update={
                    "automatic": _given(deploy.automatic, preset.automatic),
                    "approval": _asked(deploy.approval, preset.approval),
                }
            ),
            "healing": config.healing.model_copy(
                update={"enabled": _given(config.healing.enabled, preset.healing)}
            ),
            "retraining": retraining.model_copy(
                update={
                    "enabled": _given(retraining.enabled, preset.retraining),
                    "causes": _causes(config),
                    "k": k,
                    "n": n,
                }
            ),
        }
    )


def is_preset(path: KeyPath) -> bool:
    """Whether the level decides a setting that no file gives."""
    return path in {
        ("preflight", "enabled"),
        ("deploy", "automatic"),
        ("deploy", "approval"),
        ("retraining", "enabled"),
        ("healing", "enabled"),
        ("validation", "upstream_faults", "severity"),
    }


def _causes(config: ModelConfig) -> tuple[Cause, ...]:
    retraining = config.retraining
    if "causes" in retraining.model_fields_set:
        return retraining.causes
    unseen: set[Cause] = set()
    if config.monitor.performance is None:
        unseen.add("decay")
    if retraining.maximum_age is None:
        unseen.add("age")
    return tuple(cause for cause in retraining.causes if cause not in unseen)


def _k_of_n(retraining: Retraining, window: str) -> tuple[int, int]:
    """A long window has averaged its noise away; of short ones two have to agree."""
    k, n = (2, 3) if _shorter(window, "7 days") else (1, 1)
    match retraining.k, retraining.n:
        case None, None:
            return k, n
        case int(asked), None:
            return asked, max(asked, n)
        case None, int(among):
            return min(k, among), among
        case asked, among:
            return asked or k, among or n


def cross_checks(config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """What is wrong between the parts of a file whose parts are each right; presets are filled in."""
    monitor, retraining = config.monitor, config.retraining
    if retraining.enabled and monitor.cron is None:
        at: KeyPath = ("retraining", "enabled") if config.level < 3 else ("level",)
        yield (
            at,
            "retraining by policy needs monitor.cron, or nobody looks; give it, or retraining.enabled: false",
        )
    if retraining.enabled and "decay" in retraining.causes and monitor.performance is None:
        yield (
            ("retraining", "causes"),
            "decay is seen only by monitor.performance; give it, or leave decay out",
        )
    yield from _retraining_checks(config)
    if config.preflight.tests and not config.preflight.enabled and config.level < 2:
        yield (
            ("preflight", "tests"),
            "never run: preflight is off at level 1; give preflight.enabled: true, or leave them out",
        )
    if monitor.performance is not None and monitor.labels is None:
        yield ("monitor", "performance"), "needs monitor.labels, the place where true labels land"
    unread = monitor.performance is None and config.deploy.analysis.quality is None
    # Where the monitor runs, drift compares them as well.
    if unread and monitor.labels is not None and config.level < 2 and monitor.cron is None:
        yield (
            ("monitor", "labels"),
            "read only by the DAG <model>.monitor, which is not there, and by deploy.analysis.quality; give "
            "monitor.cron, or leave them out",
        )
    yield from _metric_checks(config)
    yield from performance_checks(config)
    if monitor.cron is not None and config.schedule.start is None:
        yield ("monitor", "cron"), "a cron needs schedule.start, the moment the first interval begins"
    yield from _schedule_checks(config)
    yield from alert_checks(config)
    yield from gate_checks(config)
    yield from model_gate_checks(config)
    yield from rollout_checks(config)
    yield from _tuning_checks(config)
    yield from score_checks(config)
    yield from drift_checks(config)
    yield from beyond_checks(config)
    for taken in sorted(LOG_COLUMNS & config.data.features.keys()):
        yield ("data", "features", taken), f"the inference log has a column {taken} of its own; rename it"
    for index, name in enumerate(config.validation.leakage.ignore):
        if name not in config.data.features:
            yield ("validation", "leakage", "ignore", index), f"{name!r} is no feature"
    if config.healing.enabled and config.healing.roll_back and monitor.performance is None:
        yield (
            ("healing", "roll_back"),
            "decay is seen only by monitor.performance; give it, or leave this out",
        )
    known = {*config.data.features, config.data.label, config.data.key, config.data.time_column}
    for index, name in enumerate(config.validation.upstream_faults.ignore):
        if name not in known:
            yield ("validation", "upstream_faults", "ignore", index), f"{name!r} is no column of data"
    window, holdout = config.data.window, config.data.holdout
    if (
        window.length is not None
        and isinstance(holdout, NewestHoldout)
        and not _shorter(holdout.length, window.length)
    ):
        yield (
            ("data", "holdout", "length"),
            f"a holdout of {holdout.length} leaves nothing of the window of {window.length} to train on",
        )


def _retraining_checks(config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """Keys of the policy that nothing reads, and causes that nobody can see."""
    retraining, schedule = config.retraining, config.schedule
    if "age" in retraining.causes and retraining.maximum_age is None:
        yield ("retraining", "causes"), "age needs retraining.maximum_age, or leave age out"
    if "age" not in retraining.causes and retraining.maximum_age is not None:
        yield ("retraining", "maximum_age"), "read only where age is one of retraining.causes; add it"
    timed = schedule.cron or schedule.every or schedule.timetable
    if "schedule" in retraining.hold_back and not timed:
        yield ("retraining", "hold_back"), "there is no schedule to hold back: schedule has no cron"
    if "new_data" in retraining.hold_back and not (schedule.assets or schedule.watch):
        yield (
            ("retraining", "hold_back"),
            "new data start no training here: give schedule.assets or schedule.watch, or leave new_data out",
        )


def _metric_checks(config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """The columns that metrics need, in the snapshot and in the inference log."""
    data, watched = config.data, config.monitor.performance
    if config.task == "ranking" and data.group is None:
        yield ("task",), "ranking needs data.group, the column that says which query a row belongs to"
    if watched is None:
        return
    item = config.evaluation.item(watched.metric)
    needed = [*(item.columns if item else ()), *([data.group] if config.task == "ranking" else [])]
    for column in needed:
        if column is not None and column not in data.features:
            yield (
                ("monitor", "performance", "metric"),
                f"{watched.metric} needs the column {column}, which the inference log does not keep, for it "
                "is no feature; watch another metric",
            )


def _schedule_checks(config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """A schedule against the model's own hand-overs."""
    schedule = config.schedule
    if schedule.partitioned and config.retraining.enabled:
        yield (
            ("schedule", "partitioned"),
            "a partitioned DAG runs for partition keys only, and a retraining request has none; leave "
            "partitioned out (a cron gives each run its interval all the same), or give "
            "retraining.enabled: false",
        )
    for name in schedule.assets.names() if schedule.assets else ():
        if name.rpartition("/")[0] == config.model and name.rpartition("/")[2] in OWN_ASSETS:
            yield (
                ("schedule", "assets"),
                f"{name} is updated by this model's own DAGs, which would start each other for ever",
            )
    for index, watch in enumerate(schedule.watch):
        if watch.label in OWN_ASSETS:
            yield (
                ("schedule", "watch", index),
                f"{config.model}/{watch.label} is another asset; give a 'name'",
            )


def _tuning_checks(config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    tuning, timeout = config.tuning, config.execution.timeout
    if tuning is None or timeout is None:
        return
    allowed = Period.parse(timeout).seconds / 60
    if tuning.minutes is not None and tuning.minutes >= allowed:
        yield (
            ("tuning", "minutes"),
            f"Airflow ends each task after execution.timeout ({timeout}), the search's workers as well: "
            f"give fewer than {allowed:g} minutes, or a longer time-out",
        )


def _given(value: bool | None, preset: bool) -> bool:
    return preset if value is None else value


def _asked(given: Approval | None, preset: bool) -> Approval:
    return Approval(required=preset) if given is None else given


def _shorter(one: str, other: str) -> bool:
    moment = datetime(2001, 3, 1, tzinfo=timezone.utc)  # after the shortest month: one month is 28 days
    return Period.parse(one).before(moment) > Period.parse(other).before(moment)
