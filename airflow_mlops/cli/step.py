"""``airflow-mlops step``: run one step outside the Airflow worker, JSON in, JSON out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

ENDPOINTS_VARIABLE = "AIRFLOW_MLOPS_ENDPOINTS"


@click.command("step", short_help="Run one step on a JSON request.")
@click.argument("name")
@click.option(
    "--request",
    "request_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The request, as JSON.",
)
@click.option(
    "--result",
    "result_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the result goes; standard output if not given. It is null when there was nothing to do.",
)
def command(name: str, request_file: Path, result_file: Path | None) -> None:
    """Run the step NAME. The endpoints (store, tracking server, model server and their secrets) come as
    JSON in the environment variable AIRFLOW_MLOPS_ENDPOINTS, so that no secret is on disk.
    """
    from pydantic import TypeAdapter, ValidationError

    from airflow_mlops.backends.base import Endpoints
    from airflow_mlops.backends.catalog import connect
    from airflow_mlops.exceptions import MlopsError
    from airflow_mlops.steps.catalog import STEPS, run_step

    if name not in STEPS:
        raise click.UsageError(f"there is no step {name!r}; the steps are {', '.join(STEPS)}")
    if ENDPOINTS_VARIABLE not in os.environ:
        raise click.UsageError(f'set {ENDPOINTS_VARIABLE}, for instance to {{"store": "/data/mlops"}}')
    endpoints = TypeAdapter(Endpoints).validate_json(os.environ[ENDPOINTS_VARIABLE])
    try:
        result = run_step(name, json.loads(request_file.read_text()), connect(endpoints))
    except ValidationError as error:
        raise click.UsageError(f"{request_file} is no request for step {name}: {error}") from error
    except MlopsError as error:
        told = {"error": type(error).__name__, "message": str(error), "retry": error.retry_can_help}
        click.echo(json.dumps({**told, "report": error.report}), err=True)
        raise SystemExit(75 if error.retry_can_help else 65) from error
    text = json.dumps(result)
    if result_file is None:
        click.echo(text)
    else:
        result_file.write_text(text)
