"""Which site the command line reads a file at: the repository or folder around it, and a profile."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from airflow_mlops.config.site import Site
from airflow_mlops.config.tree import PROFILES

profile_option = click.option(
    "--profile",
    envvar="AIRFLOW__MLOPS__PROFILE",
    metavar="NAME",
    help="Read with the profile profiles/NAME.yaml, as Airflow does with [mlops] profile.",
)


def site_around(path: Path, profile: str | None = None, environment: Mapping[str, str] = os.environ) -> Site:
    """The site of a file or folder that was named on the command line.

    Layers count up to the top of the git repository that it lies in, else to the working folder if it lies
    below that, else in its own folder. Airflow's variables in the environment count here as they do there.
    """
    own = path.absolute() if path.is_dir() else path.absolute().parent
    repository = next((one for one in (own, *own.parents) if (one / ".git").exists()), None)
    here = Path.cwd()
    listed = environment.get("AIRFLOW__MLOPS__ALLOWED_IMPORTS", "").split(",")
    return Site(
        root=repository or (here if own.is_relative_to(here) else own),
        profile=profile,
        imports=tuple(one.strip() for one in listed if one.strip()),
        ignore_syntax=environment.get("AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX") or "glob",
    )


def profiles_for(path: Path, site: Site) -> tuple[str, ...]:
    """The names of the profiles that there are for a file, sorted."""
    found = (file.stem for folder in site.folders(path) for file in (folder / PROFILES).glob("*.yaml"))
    return tuple(sorted(set(found)))
