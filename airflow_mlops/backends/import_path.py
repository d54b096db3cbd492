"""Loads what a YAML names by import path: ``package.module:function`` or ``package.module.Class``."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

from airflow_mlops.exceptions import ConfigError


def load_object(path: str) -> Any:
    """The object behind a path, imported now.

    Raises ``ConfigError`` that names the part that was not found. Whatever the module itself raises while
    it is imported becomes the error's cause, so that the user's own traceback is kept.
    """
    module_name, name = _split(path)
    module = _import(path, module_name)
    try:
        return getattr(module, name)
    except AttributeError:
        near = difflib.get_close_matches(name, vars(module), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        origin = getattr(module, "__file__", None) or module_name
        raise ConfigError(f"{path}: there is no {name!r} in {origin}.{hint}") from None


def check_call(path: str, *arguments: str, **keywords: Any) -> None:
    """Whether the object behind a path can be called with arguments of these names in their places, and
    with these keywords; it is not called. Raises ``ConfigError`` that shows the call and the signature.
    """
    found = load_object(path)
    shown = ", ".join([*arguments, *(f"{name}=..." for name in keywords)])
    if not callable(found):
        raise ConfigError(f"{path} is called as ({shown}), but it is a {type(found).__name__}, no function")
    try:
        signature = inspect.signature(found)
    except ValueError:  # code that is not Python's does not always tell
        return
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as error:
        raise ConfigError(f"{path} is called as ({shown}), but it takes {signature}: {error}") from error


def source_version(path: str) -> str:
    """What identifies the code behind a path: ``sha256:`` and a hash over every ``.py`` file of its
    top-level package, or of its one module; ``unknown`` where there is no source to read.
    """
    load_object(path)
    top = sys.modules[_split(path)[0].partition(".")[0]]
    file = Path(getattr(top, "__file__", None) or "")
    if file.suffix != ".py" or not file.is_file():
        return "unknown"
    files = sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]
    hashed = hashlib.sha256()
    for source in files:
        hashed.update(f"{source.relative_to(file.parent).as_posix()}\0".encode())
        hashed.update(source.read_bytes())
    return f"sha256:{hashed.hexdigest()}"


def _split(path: str) -> tuple[str, str]:
    module, _, name = path.partition(":") if ":" in path else path.rpartition(".")
    if not module or not name.isidentifier():
        raise ConfigError(
            f"{path!r} is not an import path; write package.module:function, or package.module.Class"
        )
    return module, name


def _import(path: str, module_name: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if module_name != missing and not module_name.startswith(f"{missing}."):
            raise ConfigError(
                f"{path}: {module_name} needs {missing!r}, which is not installed where this step runs"
            ) from error
        raise ConfigError(
            f"{path}: there is no module {missing!r}. Put it in Airflow's plugins/ folder or install it; "
            "outside Airflow, add the folder to PYTHONPATH"
        ) from error
    except Exception as error:  # anything can happen in a user's module; the cause is kept
        raise ConfigError(f"{path}: importing {module_name} raised {_told(error)}") from error


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
