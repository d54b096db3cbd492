"""Tasks that many models have alike: made once by Airflow, then copied."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

from airflow.sdk import DAG, BaseOperator, TaskGroup
from airflow.sdk.definitions.param import ParamsDict

_OWN = frozenset({"owner", "outlets", "model", "config_digest", "on_failure_callback", "on_success_callback"})
_HOLDERS = (dict, list, set, ParamsDict)
_MOST = 16  # forms of one task, such as those of the three levels; each holds a few KB


# A task of no DAG, and the attributes that two tasks must not share.
_Form = tuple[BaseOperator, tuple[str, ...]]


class Tasks:
    """Makes the tasks of one parse.

    Airflow's constructor looks at some seventy settings of a task, at each level of its class, which was most
    of a parse; but a thousand models have the same tasks except for what is the model's own. So each
    form of a task is made once, of no DAG, and copied as Airflow does it for a run: shallowly. What a model
    says for itself is then set as an attribute. That takes operators which keep these arguments as they are,
    under the arguments' names; every other argument has to be equal, or the task is made anew.
    """

    def __init__(self) -> None:
        self._forms: dict[tuple[type, str], dict[frozenset[tuple[str, Any]], _Form]] = {}

    def add(
        self,
        kind: type[BaseOperator],
        dag: DAG,
        group: TaskGroup,
        arguments: Mapping[str, Any],
        inputs: Mapping[str, Any],
    ) -> BaseOperator:
        """A task of the DAG, in a group of it. ``inputs`` are arguments too: what other tasks leave."""
        given = {**arguments, **inputs}
        # None may mean something to a constructor, and is the same in every model.
        own = {
            name: value
            for name, value in given.items()
            if value is not None and (name in _OWN or name in inputs)
        }
        task = self._like(kind, given, own)
        for name, value in own.items():
            setattr(task, name, list(value) if isinstance(value, list) else value)
        group.add(task)
        task.task_group = group  # which add leaves as a weak reference
        # Now, and not as an argument, which would copy the DAG's defaults at each level of the class.
        task.dag = dag
        return task

    def _like(
        self, kind: type[BaseOperator], given: Mapping[str, Any], own: Mapping[str, Any]
    ) -> BaseOperator:
        """A task with these arguments, in which those of its own may still be another model's."""
        forms = self._forms.setdefault((kind, given["task_id"]), {})
        try:
            alike = frozenset([(name, value) for name, value in given.items() if name not in own])
        except TypeError:  # a list of notifiers, say
            return kind(**given)
        form = forms.get(alike)
        if form is None:
            made = kind(**given)
            held = tuple(name for name, value in vars(made).items() if isinstance(value, _HOLDERS))
            if len(forms) == _MOST:
                forms.clear()
            form = forms[alike] = made, held
        like, held = form
        task = copy(like)
        settings = vars(task)
        for name in held:
            settings[name] = copy(settings[name])
        return task
