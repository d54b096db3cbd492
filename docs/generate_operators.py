"""The reference of the operators and sensors, from their signatures and docstrings."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any, get_type_hints

from generate_yaml import as_markdown

OPERATORS_INTRO = """\
# Operators and sensors

<!-- Written by docs/generate.py from their docstrings. Change those, then run `make docs`. -->

All arguments are keyword arguments; those of Airflow's `BaseOperator` are taken as well. Inputs take the
`.output` of an upstream task, or the plain JSON that it is. How they fit together:
[a hand-written DAG](../how-to/hand-written-dag.md).
"""

_GROUPS = {
    "training": "The train pipeline",
    "preflight": "The preflight",
    "tuning": "The search for parameters",
    "rollout": "The rollout",
    "review": "Review",
    "approval": "Approval",
    "stages": "Shadow and canary",
    "conclude": "The end of a rollout",
    "canary": "A whole rollout",
    "rollback": "The ways back",
    "scoring": "The score pipeline",
    "monitoring": "The monitor pipeline",
    "announce": "Hand-over",
    "request_training": "The request for training",
    "tell": "Alerts",
    "causes": "Causes",
}


def operators_page() -> str:
    """Signature, docstring, template fields, links and result of each class."""
    from airflow_mlops import operators, sensors
    from airflow_mlops.operators.base import StepOperator

    parts = [OPERATORS_INTRO]
    parts += ["## What all of them do", "", as_markdown(_doc(StepOperator)), ""]
    classes = [getattr(operators, name) for name in operators.__all__]
    for module, title in _GROUPS.items():
        parts += [f"## {title}", ""]
        mine = [kind for kind in classes if kind.__module__ == f"airflow_mlops.operators.{module}"]
        parts += [_class(kind) for kind in sorted(mine, key=_line)]
    parts += ["## Sensors", "", *(_class(getattr(sensors, name)) for name in sensors.__all__)]
    missing = [kind.__name__ for kind in classes if kind.__module__.rpartition(".")[2] not in _GROUPS]
    if missing:
        raise LookupError(f"docs/generate.py has no group for {', '.join(missing)}")
    return "\n".join(parts).rstrip() + "\n"


def _class(kind: type[Any]) -> str:
    signature = ", ".join(_parameters(kind))
    lines = [f"### {kind.__name__}", "", "```text", *textwrap.wrap(
        f"{kind.__name__}({signature})", 110, subsequent_indent=" " * 4, break_long_words=False
    ), "```", "", as_markdown(_doc(kind)), ""]  # fmt: skip
    facts = {
        "Template fields": ", ".join(f"`{name}`" for name in kind.template_fields),
        "Links": ", ".join(link.name for link in kind.operator_extra_links),
        "Result in XCom": _result(kind),
    }
    listed = [f"- {name}: {value}" for name, value in facts.items() if value]
    return "\n".join([*lines, *listed, *([""] if listed else [])])


_BASES = ("StageOperator", "LedgerSensor", "FoundSensor", "CauseSensor")


def _doc(kind: type[Any]) -> str:
    """Its own docstring and, where it is a short one, those of the classes of ours it stands on."""
    below = kind.__mro__[1:]
    bases = [base for base in below if base.__name__ in _BASES]
    bases = bases or [base for base in below if base.__name__ == "ModelSensor"]
    return "\n\n".join(inspect.cleandoc(base.__dict__["__doc__"]) for base in (kind, *bases))


def _parameters(kind: type[Any]) -> list[str]:
    return ["*", *(_spelled(parameter) for parameter in keyword_parameters(kind)), "**kwargs"]


def keyword_parameters(kind: type[Any]) -> list[inspect.Parameter]:
    """Keyword arguments of our own classes; those that a subclass hands on as a constant are left out."""
    found: dict[str, inspect.Parameter] = {}
    fixed: set[str] = set()
    for base in kind.__mro__:
        if not base.__module__.startswith("airflow_mlops.") or "__init__" not in base.__dict__:
            continue
        own = inspect.signature(base.__dict__["__init__"]).parameters.values()
        found |= {p.name: p for p in own if p.kind is p.KEYWORD_ONLY and p.name not in found}
        fixed |= _handed_on(base)
    shown = [name for name in found if name not in fixed - _asked(kind)]
    ordered = sorted(
        shown, key=lambda name: (name != "model", found[name].default is not inspect.Parameter.empty)
    )
    return [found[name] for name in ordered]


def _asked(kind: type[Any]) -> set[str]:
    own = kind.__dict__.get("__init__")
    return set(inspect.signature(own).parameters) if own else set()


def _handed_on(kind: type[Any]) -> set[str]:
    """Names of the keywords in the class's own call of ``super().__init__``."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    return {
        keyword.arg
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__"
        for keyword in call.keywords
        if keyword.arg is not None
    }


def _spelled(parameter: inspect.Parameter) -> str:
    default = parameter.default
    return parameter.name if default is inspect.Parameter.empty else f"{parameter.name}={default!r}"


def _result(kind: type[Any]) -> str:
    return " or ".join(f"{found.__name__} ({_fields(found)})" for found in result_of(kind))


def result_of(kind: type[Any]) -> list[Any]:
    """The values that an operator may leave in XCom."""
    from airflow_mlops.core.values import Verdict
    from airflow_mlops.steps.catalog import STEPS

    if form := getattr(kind, "result_form", None):
        module, _, name = form.partition(":")
        returned: Any = getattr(import_module(module), name)
    elif getattr(kind, "gives_verdict", False):
        returned = Verdict
    elif (step := str(getattr(kind, "step", ""))) in STEPS:
        module, _, name = STEPS[step].partition(":")
        returned = get_type_hints(getattr(import_module(module), name))["return"]
    else:
        return []
    return [found for found in getattr(returned, "__args__", (returned,)) if is_dataclass(found)]


def _fields(kind: Any) -> str:
    return ", ".join(f"`{field.name}`" for field in fields(kind))


def _line(kind: type[Any]) -> int:
    return inspect.getsourcelines(kind)[1]
