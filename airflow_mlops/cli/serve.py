"""``airflow-mlops serve``: answer requests for one registered model."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("serve")
@click.option("--model", required=True, help="Name of the registered model.")
@click.option(
    "--tracking-uri",
    required=True,
    envvar="MLFLOW_TRACKING_URI",
    show_envvar=True,
    help="MLflow server that holds the model; its 'champion' alias is what is served.",
)
@click.option(
    "--tracking-token", envvar="MLFLOW_TRACKING_TOKEN", show_envvar=True, help="Bearer token for MLflow."
)
@click.option(
    "--store",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the inference log and the traffic state.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Beyond loopback a token is required.")
@click.option("--port", default=8800, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--token",
    envvar="AIRFLOW_MLOPS_GATEWAY_TOKEN",
    show_envvar=True,
    help="Bearer token for the admin routes. Prefer the variable: other users can read a command line.",
)
@click.option("--key-column", help="Field of a row that the split sticks to, such as a customer's id.")
@click.option("--time-column", help="Field of a row with its own time, ISO 8601.")
@click.option(
    "--trusted-type",
    "trusted_types",
    multiple=True,
    help="A type that model files may hold, as in the YAML's training.trusted_types. Repeat it for more.",
)
@click.option("--poll-seconds", default=2.0, show_default=True, type=click.FloatRange(min=0.1))
def command(
    model: str,
    tracking_uri: str,
    tracking_token: str | None,
    store: Path,
    host: str,
    port: int,
    token: str | None,
    key_column: str | None,
    time_column: str | None,
    trusted_types: tuple[str, ...],
    poll_seconds: float,
) -> None:
    """Serve a model: champion, challenger and shadow in one process, each prediction logged.

    Traffic between them is moved through the admin routes; it survives a restart. SIGTERM finishes the
    requests under way and writes the log.
    """
    from airflow_mlops.exceptions import MlopsError
    from airflow_mlops.gateway.server import serve
    from airflow_mlops.gateway.settings import Settings

    try:
        serve(
            Settings(
                model=model,
                store=store,
                tracking_uri=tracking_uri,
                tracking_token=tracking_token,
                host=host,
                port=port,
                token=token,
                key_column=key_column,
                time_column=time_column,
                trusted_types=trusted_types,
                poll_seconds=poll_seconds,
            )
        )
    except MlopsError as error:
        raise click.ClickException(str(error)) from error
