"""The DAGs of a plan as a Mermaid flowchart, which GitHub, GitLab and most wikis draw."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from airflow_mlops.plan.graph import DagPlan, Plan, TaskNode
from airflow_mlops.plan.trigger_words import trigger_in_words


def mermaid(plan: Plan) -> Iterator[str]:
    """Lines of a flowchart: a box for each DAG, solid arrows between its tasks, dotted ones from a task to
    the asset that it updates and on to the first tasks of the DAGs which that starts.
    """
    yield "flowchart LR"
    for dag in plan.dags:
        trigger = trigger_in_words(dag.trigger).replace("`", "")
        yield f'    subgraph {dag.role}["{dag.dag_id}<br/>runs {trigger}"]'
        yield from (f"        {line}" for line in _inside(dag))
        yield "    end"
    yield from (f"    {line}" for line in _assets(plan))


def _inside(dag: DagPlan) -> Iterator[str]:
    for group, members in groupby(dag.tasks, key=lambda task: task.group):
        boxes = [f'{_id(dag, task.full_id)}["{task.task_id}"]' for task in members]
        if group is None:
            yield from boxes
            continue
        yield f'subgraph {_id(dag, group)}_group["{group}"]'
        yield from (f"    {box}" for box in boxes)
        yield "end"
    for task in dag.tasks:
        yield from (f"{_id(dag, above)} --> {_id(dag, task.full_id)}" for above in task.upstream)


def _assets(plan: Plan) -> Iterator[str]:
    emitted = [(dag, task, task.emits) for dag in plan.dags for task in dag.tasks if task.emits is not None]
    awaited = [(dag, name) for dag in plan.dags for name in dag.trigger.asset_names]
    names = list(dict.fromkeys([*(name for _, _, name in emitted), *(name for _, name in awaited)]))
    for number, name in enumerate(names):
        yield f'asset{number}(["{name}"])'
    for dag, task, name in emitted:
        yield f"{_id(dag, task.full_id)} -.-> asset{names.index(name)}"
    for dag, name in awaited:
        yield from (f"asset{names.index(name)} -.-> {_id(dag, first.full_id)}" for first in _firsts(dag))


def _firsts(dag: DagPlan) -> Iterator[TaskNode]:
    return (task for task in dag.tasks if not task.upstream)


def _id(dag: DagPlan, full_id: str) -> str:
    """No name of Mermaid's own (``end`` breaks a chart), since each begins with the DAG's role."""
    return f"{dag.role}_{full_id.replace('.', '_')}"
