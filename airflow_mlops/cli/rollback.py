"""``airflow-mlops rollback``: put an earlier champion back by hand, with or without Airflow running."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airflow_mlops.backends.base import Backends, Endpoints, ServingEndpoint
from airflow_mlops.cli.site import profile_option, site_around
from airflow_mlops.config.load import LoadedModel, load_model
from airflow_mlops.config.tree import find_configs
from airflow_mlops.core.values import RunInfo, RunKey
from airflow_mlops.core.windows import WindowSources
from airflow_mlops.exceptions import ConfigError

if TYPE_CHECKING:
    from airflow_mlops.config.models import ModelConfig
    from airflow_mlops.steps.plan_reversal import PlannedReversal
    from airflow_mlops.steps.requests import Reversal, ReverseRequest


@click.command("rollback", short_help="Put an earlier champion back.")
@click.argument("model")
@click.option(
    "--to",
    "version",
    metavar="VERSION",
    help="By default the champion before the present one, by the ledger.",
)
@click.option("--reason", required=True, help="Kept in the ledger and on the model cards.")
@click.option("--by", help="Who decides it; the user of this machine if not given.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--configs",
    envvar="AIRFLOW__MLOPS__CONFIGS_FOLDER",
    show_envvar=True,
    default=".",
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where MODEL's YAML is looked for.",
)
@profile_option
@click.option(
    "--store",
    required=True,
    envvar="AIRFLOW__MLOPS__STORE",
    show_envvar=True,
    help="The store's folder or URI, as in [mlops] store.",
)
@click.option(
    "--tracking-uri", required=True, envvar="MLFLOW_TRACKING_URI", show_envvar=True, help="MLflow server."
)
@click.option(
    "--tracking-token", envvar="MLFLOW_TRACKING_TOKEN", show_envvar=True, help="Bearer token for MLflow."
)
@click.option(
    "--server",
    envvar="AIRFLOW_MLOPS_GATEWAY_URL",
    show_envvar=True,
    default="http://127.0.0.1:8800",
    show_default=True,
    help="The model server. Of another target the Airflow connection is asked, which its YAML names.",
)
@click.option(
    "--token",
    envvar="AIRFLOW_MLOPS_GATEWAY_TOKEN",
    show_envvar=True,
    help="The model server's token. Prefer the variable: other users can read a command line.",
)
def command(
    model: str,
    version: str | None,
    reason: str,
    by: str | None,
    yes: bool,
    configs: Path,
    profile: str | None,
    store: str,
    tracking_uri: str,
    tracking_token: str | None,
    server: str,
    token: str | None,
) -> None:
    """Put an earlier champion of MODEL back: a model's name, or the path of its YAML.

    It says what will change, and asks. A rollout that is open is ended first. The version is asked for known
    rows before anything moves; then alias and traffic are moved and read back, and the ledger has the
    reason and the person. Repeat the command if it was interrupted: it goes on where it was.
    """
    from airflow_mlops.backends.catalog import connect
    from airflow_mlops.steps.plan_reversal import plan_reversal
    from airflow_mlops.steps.requests import ReverseRequest

    loaded = _loaded(model, configs, profile)
    serving = _serving(loaded.config, server, token)
    backends = connect(Endpoints(store, tracking_uri, tracking_token, serving))
    run = _run(loaded, by or getpass.getuser(), reason)
    request = ReverseRequest(loaded.config, run, reason, version)
    planned = plan_reversal(request, backends)
    for line in _in_words(planned, backends):
        click.echo(line)
    if not yes:
        click.confirm("Go on?", abort=True)
    # The version that was shown, whatever has happened while the question stood.
    request = replace(request, version=planned.back.version)
    started = time.monotonic()
    done = _reversed(request, backends)
    out = f"; version {done.previous} was taken out" if done.previous else ""
    seconds = time.monotonic() - started
    click.echo(f"version {done.version} of {done.name} is the champion and serves{out} ({seconds:.1f} s)")


def _loaded(model: str, folder: Path, profile: str | None) -> LoadedModel:
    if model.endswith((".yaml", ".yml")):
        return load_model(Path(model), site_around(Path(model), profile))
    site = site_around(folder, profile)
    for path in find_configs(folder, site):
        # A file that is broken is of no concern here, unless it is this model's.
        if model in path.read_text(encoding="utf-8", errors="replace"):
            loaded = load_model(path, site)
            if loaded.config.model == model:
                return loaded
    raise ConfigError(
        f"no YAML in {folder.absolute()} describes a model {model!r}: name its folder with --configs, or "
        "give the path of the YAML instead of the name. For a model written in Python trigger the DAG "
        f"{model}.rollback"
    )


def _serving(config: ModelConfig, server: str, token: str | None) -> ServingEndpoint:
    if config.deploy.target.type == "embedded":
        return ServingEndpoint("embedded", config.model, url=server, token=token)
    from airflow_mlops.hooks.serving import serving_endpoint

    return serving_endpoint(config)


def _run(loaded: LoadedModel, person: str, reason: str) -> RunInfo:
    now = datetime.now(timezone.utc)
    key = RunKey(f"{loaded.config.model}.rollback", f"command_line__{now.isoformat()}")
    return RunInfo(key, "manual", WindowSources(), now, person, loaded.digest, reason=reason)


def _in_words(planned: PlannedReversal, backends: Backends) -> Iterator[str]:
    """What will change."""
    name, back = planned.back.name, planned.back.version
    if planned.out is None:
        yield f"{name}: version {back} stays the champion"
    else:
        yield f"{name}: version {planned.out.version} is taken out, version {back} is champion again"
    if planned.ends is not None:
        traffic = backends.serving.traffic()
        open_now = (
            "" if traffic.mode == "none" else f" ({traffic.mode} at {100 * traffic.weight:g} % of the rows)"
        )
        yield f"  first the open rollout of version {planned.ends}{open_now} is ended"
    if planned.begun is not None:
        begun = planned.begun
        yield f"  this finishes what {begun.actor} began at {begun.at:%Y-%m-%d %H:%M} UTC: {begun.reasons[0]}"
    if planned.given_up is not None:
        yield f"  the return to version {planned.given_up.subject}, which is unfinished, is given up for it"


def _reversed(request: ReverseRequest, backends: Backends) -> Reversal:
    """Goes on until it is done; the deadline is the step's."""
    from airflow_mlops.steps.reverse import reverse

    while True:
        found = reverse(request, backends)
        if found.done:
            return found
        click.echo(f"waiting for version {found.version}: {found.said}", err=True)
        time.sleep(request.config.deploy.poll_interval_seconds)
        request = replace(request, run=replace(request.run, now=datetime.now(timezone.utc)))
