"""``airflow-mlops plan``: the DAGs of one file as a tree, without Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from airflow_mlops.cli.site import profile_option, site_around
from airflow_mlops.config.load import load_model
from airflow_mlops.plan.compile import compile_plan
from airflow_mlops.plan.graph import DagPlan, Plan, TaskNode
from airflow_mlops.plan.trigger_words import trigger_in_words


@click.command("plan")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", "mermaid"]),
    help="How the DAGs are drawn; a tree if not given. Mermaid is what GitHub draws in Markdown.",
)
@click.option("--diff", "revision", metavar="REV", help="Only what changed since this git revision.")
@click.option("--explain", is_flag=True, help="Instead, for each setting the file and line it came from.")
@profile_option
def command(file: Path, form: str | None, revision: str | None, explain: bool, profile: str | None) -> None:
    """Show the DAGs that FILE becomes: what starts them, their tasks in order, the assets they update.

    With --diff, what became of them since a git revision: DAGs and tasks that came (+), went (-) or
    changed (~), and the settings that are the reason, presets filled in. With --explain, every setting with
    the file and line that gave it: the model's own, a layer, the level's preset or the default.
    """
    if sum((form is not None, revision is not None, explain)) > 1:
        raise click.UsageError(
            "--format draws whole DAGs, --diff lists changes, --explain settings: give one of them"
        )
    site = site_around(file, profile)
    loaded = load_model(file, site)
    if explain:
        from airflow_mlops.cli.plan_explain import explanation

        lines = explanation(loaded)
    elif revision is not None:
        from airflow_mlops.cli.plan_diff import plan_diff
        from airflow_mlops.cli.revision import model_at

        lines = plan_diff(model_at(file, revision, site), loaded, revision)
    elif form == "mermaid":
        from airflow_mlops.cli.plan_mermaid import mermaid

        lines = mermaid(compile_plan(loaded.config, loaded.digest))
    else:
        lines = tree(compile_plan(loaded.config, loaded.digest))
    for line in lines:
        click.echo(line)


def tree(plan: Plan) -> Iterator[str]:
    """Lines of a tree: a DAG with what starts it, its tasks, and after ``<-`` what each task waits for,
    where that is not simply the task above it."""
    yield f"{plan.model} (configuration {plan.config_digest[:12]})"
    for dag in plan.dags:
        is_last = dag is plan.dags[-1]
        trigger = trigger_in_words(dag.trigger).replace("`", "")
        yield f"{'└──' if is_last else '├──'} {dag.dag_id}  runs {trigger}"
        for line in _tasks(dag):
            yield f"{'    ' if is_last else '│   '}{line}"


def _tasks(dag: DagPlan) -> Iterator[str]:
    group: str | None = None
    for index, task in enumerate(dag.tasks):
        later = dag.tasks[index + 1 :]
        closing = all(after.group == task.group and task.group is not None for after in later)
        top = "└──" if closing else "├──"
        if task.group is not None and task.group != group:
            yield f"{top} {task.group}"
        group = task.group
        above = dag.tasks[index - 1].full_id if index else None
        if task.group is None:
            yield f"{top} {_line(task, above)}"
            continue
        inner = "├──" if any(after.group == task.group for after in later) else "└──"
        yield f"{'    ' if closing else '│   '}{inner} {_line(task, above)}"


def _line(task: TaskNode, above: str | None) -> str:
    text = task.task_id if task.workers is None else f"{task.task_id} [{task.workers} workers]"
    if task.upstream and task.upstream != (above,):
        text += f"  <- {', '.join(task.upstream)}"
    if task.emits is not None:
        text += f"  => asset {task.emits}"
    return text
