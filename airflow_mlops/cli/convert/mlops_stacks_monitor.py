"""The quality monitor and the retraining job of an mlops-stacks bundle: monitor and retraining of a model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from airflow_mlops.cli.convert.bundle import Bundle
from airflow_mlops.cli.convert.draft import TELL_FAILURE, Draft, shown
from airflow_mlops.cli.convert.reading import Node
from airflow_mlops.cli.convert.thresholds import metric_of
from airflow_mlops.cli.convert.values import Rule, Said, apply, count, one_line, quartz
from airflow_mlops.config.parts.metrics import METRICS_OF
from airflow_mlops.core.windows import Period

_LOG = "the model server writes the inference log itself"
_MONITOR: Mapping[str, str] = {
    "table_name": _LOG,
    "output_schema_name": "reports lie in the store, and open from Airflow",
    "assets_dir": "reports lie in the store, and open from Airflow",
    "slicing_exprs": "monitor.drift.slices cuts by features; name them there",
    "baseline_table_name": "drift is held against what the champion was trained on",
    "custom_metrics": "code of yours; monitoring has a fixed set of metrics",
    "notifications": TELL_FAILURE,
}
_INFERENCE_LOG: Mapping[str, str] = {
    "model_id_col": _LOG,
    "prediction_col": _LOG,
    "prediction_proba_col": _LOG,
    "timestamp_col": _LOG,
}
_CHECK: Mapping[str, str] = {
    "env": "profiles tell deployments apart",
    "table_name_under_monitor": _LOG,
    "git_source_info": "each run records the version of its code by itself",
}
_OTHER = "no key of a model's YAML stands for it"


def carry_monitor(draft: Draft, bundle: Bundle, jobs: list[str]) -> None:
    """The first quality monitor and the first monitoring job; a second of either has nowhere to go."""
    monitors = bundle.resources.get("quality_monitors", {})
    for number, (name, monitor) in enumerate(monitors.items()):
        if number:
            draft.leave(monitor, f"quality_monitors.{name}", "a model has one monitor")
        else:
            _carry_quality(draft, bundle, monitor)
    for number, name in enumerate(jobs):
        job = bundle.resources["jobs"][name]
        if number:
            draft.leave(job, f"job {name}", "a model has one monitor")
        else:
            _carry_check(draft, bundle, job, name)


def _carry_quality(draft: Draft, bundle: Bundle, monitor: Node) -> None:
    for what, node in monitor.entries.items():
        match what:
            case "schedule":
                carry_cron(draft, bundle, node, "quality monitor")
            case "inference_log":
                _carry_log(draft, bundle, node)
            case _:
                draft.leave(node, f"{what} of the quality monitor", _MONITOR.get(what, _OTHER))


def carry_cron(draft: Draft, bundle: Bundle, node: Node, label: str) -> None:
    """To monitor.cron, which is read in the time zone of the training's schedule."""
    for what, given in node.entries.items():
        one, said = bundle.resolved(given), f"schedule.{what} of the {label}"
        match what:
            case "quartz_cron_expression" if draft.asks_or_says("monitor.cron"):
                draft.leave(one, said, "one cron, monitor.cron, looks at the data and decides on retraining")
            case "quartz_cron_expression":
                elsewhere = _elsewhere(draft, bundle, node)
                if not apply(draft, one, said, Rule("monitor.cron", partial(_watching, elsewhere=elsewhere))):
                    draft.want("monitor.cron", f"a cron line or a preset, in place of {shown(one.text)}")
            case "timezone_id" if one.text == _zone(draft):
                draft.leave(one, said, "schedule.timezone says the same already")
            case "timezone_id":
                draft.leave(
                    one, said, f"monitor.cron is read in schedule.timezone, {_zone(draft)}; shift its hours"
                )
            case _:
                draft.leave(one, said, "pause or unpause the DAG in Airflow")


def _watching(node: Node, elsewhere: str) -> Said:
    said = quartz(node)
    return Said(said.value, "; ".join(note for note in (said.note, elsewhere) if note))


def _elsewhere(draft: Draft, bundle: Bundle, schedule: Node) -> str:
    """What to say where the hours were meant in another time zone."""
    given = schedule.at("timezone_id")
    name = bundle.resolved(given).text if given is not None else "UTC"
    return (
        ""
        if name == _zone(draft)
        else f"its hours were those of {name}, now they are those of {_zone(draft)}"
    )


def _zone(draft: Draft) -> str:
    return str(draft.values.get("schedule.timezone", "UTC"))


def _carry_log(draft: Draft, bundle: Bundle, log: Node) -> None:
    for what, given in log.entries.items():
        node, label = bundle.resolved(given), f"inference_log.{what}"
        match what:
            case "granularities":
                _carry_window(draft, node, label)
            case "problem_type" if node.text.endswith("REGRESSION"):
                draft.carry(node, label, "task", "regression")
            case "problem_type":
                draft.hint("task", f"the monitor says {shown(node.text)}, {node.place}")
                draft.leave(node, label, "task says how many classes there are")
            case "label_col":
                apply(draft, node, label, Rule("data.label", one_line))
            case _:
                draft.leave(node, label, _INFERENCE_LOG.get(what, _OTHER))


def _carry_window(draft: Draft, node: Node, label: str) -> None:
    given = node.items or [node]
    apply(draft, given[0], label, Rule("monitor.window", _period))
    for one in given[1:]:
        draft.leave(one, f"{label} {shown(one.text)}", "monitoring looks at windows of one length")


def _period(node: Node) -> Said:
    return Said(str(Period.parse(node.text)))


def _carry_check(draft: Draft, bundle: Bundle, job: Node, name: str) -> None:
    """Retraining after a metric was violated is level 3, with decay as its one cause."""
    tasks = job.at("tasks")
    parameters = Node({}, job.place)
    starts = None
    for task in tasks.items if tasks is not None else []:
        given = task.at("notebook_task", "base_parameters")
        if given is not None and given.at("metric_to_monitor") is not None:
            parameters = given
        elif task.at("run_job_task") is not None:
            starts = task
        else:
            key = task.at("task_key")
            told = shown(key.text) if key is not None else "a task"
            draft.leave(task, f"{told} of the job {name}", "monitor decides in a step of its own")
    if (schedule := job.at("schedule")) is not None:
        carry_cron(draft, bundle, schedule, f"job {name}")
    for what, node in job.entries.items():
        if what not in ("tasks", "schedule", "name"):
            draft.leave(node, f"{what} of the job {name}", _JOB.get(what, _OTHER))
    _carry_metric(draft, bundle, parameters, starts)


_JOB: Mapping[str, str] = {
    "permissions": "give roles access to the DAGs in Airflow",
    **dict.fromkeys(("email_notifications", "webhook_notifications"), TELL_FAILURE),
    "job_clusters": "the steps run in the Airflow worker, or in the Python that compute.python names",
}


def _carry_metric(draft: Draft, bundle: Bundle, parameters: Node, starts: Node | None) -> None:
    metric = _watched(draft, bundle, parameters)
    counts = {"num_evaluation_windows": "retraining.n", "num_violation_windows": "retraining.k"}
    for key, given in parameters.entries.items():
        node, label = bundle.resolved(given), f"{key} of the monitoring"
        if key == "metric_to_monitor":
            continue
        if key in counts and metric and starts is not None:
            apply(draft, node, label, Rule(counts[key], count))
        elif key == "metric_violation_threshold":
            why = "monitoring asks how far the metric fell below that at promotion, see monitor.performance"
            draft.leave(node, f"{label} ({shown(node.text)})", why)
        else:
            draft.leave(node, label, _CHECK.get(key, "no metric can be watched, so it has no use"))
    if starts is None:
        return
    if not metric:
        draft.leave(
            starts, "retraining", "no metric that it could watch was carried over; see level 3, retraining"
        )
        return
    if "level" in draft.values:
        draft.take_back("level", "level 3 ships by itself as well")
    draft.carry(starts, "retraining after a violated metric", "level", 3)
    draft.derive("retraining.causes", ["decay"], "level")
    if draft.values.get("retraining.k", 1) > draft.values.get("retraining.n", 1):
        draft.take_back("retraining.k", "more windows than are looked at")


def _watched(draft: Draft, bundle: Bundle, parameters: Node) -> str:
    """The metric that monitoring is to watch, with the labels that it needs for it; or nothing."""
    given = parameters.at("metric_to_monitor")
    if given is None:
        return ""
    node, label = bundle.resolved(given), "metric_to_monitor of the monitoring"
    metric, task = metric_of(node.text), draft.values.get("task")
    if metric is None or (task is not None and metric not in METRICS_OF[task]):
        draft.leave(node, f"{label} ({shown(node.text)})", "not a metric that monitor.performance can watch")
        return ""
    draft.carry(node, label, "monitor.performance.metric", metric)
    limit = parameters.at("metric_violation_threshold")
    told = f", the bundle's limit is {shown(limit.text)}" if limit is not None else ""
    draft.want("monitor.performance.tolerance", f"how far {metric} may get worse, in its unit{told}")
    draft.want(
        "monitor.labels.source",
        "where true labels land, as in {type: python, callable: ...} (as data.source)",
    )
    return metric
