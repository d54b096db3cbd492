"""What is public: a page of names, and all signatures, one a line. docs/stability.md says what is promised.

``docs/reference/public-api.txt`` is a record. A change of the code that makes it stale is a change of the
public API, and shows as such in the diff of the commit that makes it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from importlib.metadata import distribution
from typing import Any, get_args

import click
from generate_operators import keyword_parameters, result_of

# Whoever imports from these, and only these, is promised something. What their ``__all__`` names is public.
MODULES = {
    "airflow_mlops": "What a DAG file needs",
    "airflow_mlops.factory": "Models and folders to DAGs",
    "airflow_mlops.operators": "Operators",
    "airflow_mlops.sensors": "Sensors",
    "airflow_mlops.triggers": "Triggers",
    "airflow_mlops.notifications": "Notifiers",
    "airflow_mlops.hooks": "Hooks",
    "airflow_mlops.bundles": "DAG bundles",
    "airflow_mlops.gates": "What a gate of your own is given and gives back",
    "airflow_mlops.testing": "What the fixtures give",
    "airflow_mlops.exceptions": "Errors",
}

INTRO = """\
# Public names

<!-- Written by docs/generate.py from the modules' `__all__`. Change those, then run `make docs`. -->

Everything that [the promises](../stability.md) are about. The signatures, with types and defaults, the fields
of results and of the ledger, and the options of the commands stand in [public-api.txt](public-api.txt).
"""


def names_page() -> str:
    """Every public name in a few words."""
    parts = [INTRO]
    for module, title in MODULES.items():
        parts += [f"## {title}: `{module}`", "", "| name | what it is |", "|---|---|"]
        parts += [f"| `{name}` | {_purpose(value)} |" for name, value in _names(module)]
        parts.append("")
    parts += [
        "## Commands: `airflow-mlops`",
        "",
        "Described [in their reference](cli.md): " + ", ".join(f"`{name}`" for name in _commands()) + ".",
        "",
        "## pytest",
        "",
        "| fixture | what it is |",
        "|---|---|",
        *(f"| `{name}` | {_purpose(fixture)} |" for name, fixture in _fixtures()),
        "",
        "The ini option `mlops_airflow`, or `--mlops-airflow`, gives a session an Airflow of its own.",
        "",
        "## Airflow's configuration",
        "",
        ", ".join(f"`[mlops] {name}`" for name in _options()) + ".",
        "",
        "## Entry point groups",
        "",
        "| group | what it is for |",
        "|---|---|",
        *(f"| `{group}` | {told} |" for group, told in _GROUPS.items()),
    ]
    return "\n".join(parts) + "\n"


def public_api() -> str:
    """A line for each signature, field, command and name."""
    lines = [
        "# Every public name with its signature. Written by `make docs`; see docs/stability.md.",
        "# A line that changes or goes is a change of the public API: say so in CHANGELOG.md.",
    ]
    for module in MODULES:
        lines += ["", f"# {module}"]
        for name, value in _names(module):
            lines += _signatures(f"{module}.{name}", value)
    lines += ["", "# Results in XCom", *sorted(set(_results())), "", "# Ledger", *_ledger()]
    lines += ["", "# Commands", *(_command(name, command) for name, command in _commands().items())]
    lines += ["", "# pytest", *(f"fixture {name}" for name, _ in _fixtures())]
    lines += ["option --mlops-airflow", "ini mlops_airflow"]
    lines += ["", "# Configuration", *(f"[mlops] {name}" for name in _options())]
    lines += ["", "# Entry points", *_entry_points()]
    return "\n".join(lines) + "\n"


_GROUPS = {
    "apache_airflow_provider": "how Airflow finds the connection types, links and options of this package",
    "airflow.plugins": "how Airflow finds its pages and reports",
    "pytest11": "how pytest finds the fixtures",
    "console_scripts": "the command `airflow-mlops`",
    "airflow_mlops.backends": "where a package of yours registers a backend; provisional",
}


def _names(module: str) -> Iterator[tuple[str, Any]]:
    found = import_module(module)
    for name in sorted(found.__all__):
        yield name, getattr(found, name)


def _purpose(value: Any) -> str:
    """The docstring's first sentence."""
    if isinstance(value, str):
        return "The version that is installed."
    text = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    if not text:
        raise LookupError(f"{value!r} is public and has no docstring")
    sentence = text.split(". ")[0].rstrip(".:").replace("``", "`").replace("|", "\\|")
    return f"{sentence}."


def _signatures(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{path}: str"
        return
    if not isinstance(value, type):
        yield f"{path}{_signature(value)}"
        return
    if hasattr(value, "task_type"):
        given = [str(_unquoted(parameter)) for parameter in keyword_parameters(value)]
        yield f"{path}({', '.join(['*', *given, '**kwargs'])})"
        return
    if value.__init__ is object.__init__ or issubclass(value, dict):
        yield f"{path}{_typed_keys(value)}"
        return
    bases = f" < {value.__bases__[0].__name__}" if issubclass(value, BaseException) else ""
    has_own = value.__init__ is not Exception.__init__ and bool(_own(value, "__init__"))
    yield f"{path}{_signature(value) if has_own else '()'}{bases}"
    if bases:
        yield f"{path}.retry_can_help = {value.retry_can_help}"
        return
    yield from _members(path, value)


def _typed_keys(value: type[Any]) -> str:
    keys = (f"{name}: {_text(kind)}" for name, kind in value.__annotations__.items())
    return "(" + ", ".join(["*", *keys]) + ")"


def _members(path: str, value: type[Any]) -> Iterator[str]:
    """Methods and properties that classes of this package define."""
    for name in sorted(name for name in dir(value) if not name.startswith("_")):
        member = _own(value, name)
        if isinstance(member, property):
            yield f"{path}.{name} -> {_signature(member.fget).return_annotation}"
        elif inspect.isfunction(member):
            yield f"{path}.{name}{_signature(member)}"


def _own(value: type[Any], name: str) -> Any:
    return next(
        (
            base.__dict__[name]
            for base in value.__mro__
            if base.__module__.startswith("airflow_mlops") and name in base.__dict__
        ),
        None,
    )


def _results() -> Iterator[str]:
    from airflow_mlops import operators

    for name in sorted(operators.__all__):
        for kind in result_of(getattr(operators, name)):
            yield f"airflow_mlops.operators.{name} -> {kind.__name__}"
            yield from _shape(kind)


def _shape(kind: Any) -> Iterator[str]:
    """The fields of a value, and of the values in them."""
    yield f"{kind.__name__}(" + ", ".join(f"{one.name}: {one.type}" for one in fields(kind)) + ")"
    named = vars(import_module(kind.__module__))
    for one in fields(kind):
        for word in str(one.type).replace("[", " ").replace("]", " ").replace(",", " ").split():
            if is_dataclass(below := named.get(word)) and below is not kind:
                yield from _shape(below)


def _ledger() -> Iterator[str]:
    from airflow_mlops.core.ledger import Entry, EntryKind

    yield from _shape(Entry)
    yield f"EntryKind: {', '.join(get_args(EntryKind))}"


def _commands() -> dict[str, click.Command]:
    from airflow_mlops.cli.main import COMMANDS, main

    context = click.Context(main, info_name="airflow-mlops")
    return {name: command for name in COMMANDS if (command := main.get_command(context, name))}


def _command(name: str, command: click.Command) -> str:
    words = []
    for given in command.params:
        kind = "" if getattr(given, "is_flag", False) else f" {_kind_of(given.type)}"
        many = "..." if given.nargs < 0 or given.multiple else ""
        told = f"{'/'.join([*given.opts, *given.secondary_opts])}{kind}{many}"
        words.append(told if given.required else f"[{told}]")
    return " ".join(["airflow-mlops", name, *words])


def _kind_of(kind: click.ParamType) -> str:
    return "|".join(map(str, kind.choices)) if isinstance(kind, click.Choice) else kind.name.upper()


def _fixtures() -> Iterator[tuple[str, Any]]:
    from airflow_mlops.testing import plugin

    for name, value in sorted(vars(plugin).items()):
        if type(value).__name__ == "FixtureFunctionDefinition":
            yield name, value


def _options() -> list[str]:
    from airflow_mlops.get_provider_info import get_provider_info

    return sorted(get_provider_info()["config"]["mlops"]["options"])


def _entry_points() -> Iterator[str]:
    points = distribution("airflow-mlops").entry_points
    unknown = {point.group for point in points} - set(_GROUPS)
    if unknown:
        raise LookupError(f"docs/generate_public.py does not say what {', '.join(unknown)} is for")
    yield from sorted(f"[{point.group}] {point.name} = {point.value}" for point in points)
    yield "[airflow_mlops.backends] read by this package"


def _signature(value: Any) -> inspect.Signature:
    signature = inspect.signature(value)
    returned = signature.return_annotation
    return signature.replace(
        parameters=[_unquoted(parameter) for parameter in signature.parameters.values()],
        return_annotation=_Words(returned) if isinstance(returned, str) else returned,
    )


def _unquoted(parameter: inspect.Parameter) -> inspect.Parameter:
    written = parameter.annotation
    return parameter.replace(annotation=_Words(written)) if isinstance(written, str) else parameter


class _Words(str):
    """An annotation as it is written, without the quotes that its being text brings."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _text(kind: Any) -> str:
    return str(getattr(kind, "__forward_arg__", kind))
