"""From Airflow's configuration to the site that models' files are read at."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from airflow.sdk.configuration import conf

from airflow_mlops.config.site import Site

_FOLDERS = (("mlops", "configs_folder"), ("core", "dags_folder"))


def airflow_site(root: Path | None) -> Site:
    """The site below ``root``: the profile and the allowed packages of ``[mlops]``."""
    listed = (conf.get("mlops", "allowed_imports", fallback="") or "").split(",")
    return Site(
        root=root,
        profile=conf.get("mlops", "profile", fallback="") or None,
        imports=tuple(one.strip() for one in listed if one.strip()),
        ignore_syntax=conf.get("core", "dag_ignore_file_syntax", fallback="") or "glob",
    )


def site_of_dag_file(file: Path) -> Site:
    """The site of a model that is written in a DAG file: its layers reach up to ``[mlops] configs_folder``
    or ``[core] dags_folder``, whichever is further up, or to the DAG bundle that the file lies in.

    Airflow does not tell a DAG file its bundle. It puts the bundle's folder on ``sys.path``, for imports.
    """
    named = (conf.get(section, key, fallback=None) for section, key in _FOLDERS)
    configured = [Path(one).expanduser().absolute() for one in named if one]
    around = [one for one in configured if file.is_relative_to(one)]
    if around:
        return airflow_site(min(around, key=lambda one: len(one.parts)))
    importable = [one for one in map(Path, sys.path) if one.is_absolute() and file.is_relative_to(one)]
    return airflow_site(max(importable, key=lambda one: len(one.parts), default=None))


def site_of_task(model: Path, dag: Any) -> Site:
    """The site of a file that a task names itself: its layers reach up to ``[mlops] configs_folder`` or to
    the bundle of the task's DAG, whichever the file lies in; else they are those of the file's own folder.
    """
    configured = conf.get("mlops", "configs_folder", fallback=None)
    folders = [Path(configured).expanduser()] if configured else []
    fileloc, below = getattr(dag, "fileloc", None), getattr(dag, "relative_fileloc", None)
    if fileloc and below and str(fileloc).endswith(str(below)):
        folders.append(Path(str(fileloc).removesuffix(str(below))))
    lies_in = (one for one in folders if model.absolute().is_relative_to(one.absolute()))
    return airflow_site(next(lies_in, None))
