"""``airflow-mlops serve``: answer requests for one registered model."""

from __future__ import annotations

from pathlib import Path

import click

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("serve")
@click.option("--model", required=True, help="Name of the registered model.")
@click.option(
    "--version",
    help="Serve this version alone: no alias is followed, no traffic moved, and the process ends with the "
    "reason where it cannot be served. For a server per version behind a router, as on Kubernetes.",
)
@click.option(
    "--isolated",
    is_flag=True,
    help="A process of its own for each version, behind Envoy: one that crashes takes no other along. Needs "
    "the 'isolated' extra and Linux; the split goes by the X-Split-Key header of a request.",
)
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
@click.option("--tls-cert", type=_FILE, help="PEM file with the server's certificate (and its chain).")
@click.option("--tls-key", type=_FILE, help="PEM file with its key.")
@click.option(
    "--tls-client-ca",
    type=_FILE,
    help="PEM file with the authority of callers' certificates. With it every caller must show one.",
)
@click.option("--max-connections", default=4_096, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--max-in-flight",
    default=1_000,
    show_default=True,
    type=click.IntRange(min=1),
    help="Requests under way; more are told to come again.",
)
@click.option(
    "--max-body-mib", default=32, show_default=True, type=click.IntRange(min=1), help="One request's body."
)
@click.option(
    "--max-memory-mib",
    type=click.IntRange(min=1),
    help="Above it no version is loaded beside the champion and large requests are told to come again. "
    "Default: nine tenths of what the container or the machine has.",
)
@click.option(
    "--log",
    "log_location",
    help="Folder or bucket (s3://bucket/prefix) of the inference log's Parquet files. Default: the store.",
)
@click.option("--log-budget-gib", default=20.0, show_default=True, type=click.FloatRange(min=0.001))
@click.option("--log-keep-days", type=click.IntRange(min=1), help="Remove older days. Default: keep all.")
@click.option(
    "--compact-seconds",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="How often what was logged is made Parquet; 0 leaves it to `airflow-mlops compact-log`.",
)
def command(
    model: str,
    version: str | None,
    isolated: bool,
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
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    max_connections: int,
    max_in_flight: int,
    max_body_mib: int,
    max_memory_mib: int | None,
    log_location: str | None,
    log_budget_gib: float,
    log_keep_days: int | None,
    compact_seconds: float,
) -> None:
    """Serve a model: champion, challenger and shadow, each prediction logged.

    Traffic between them is moved through the admin routes; it survives a restart. SIGTERM finishes the
    requests under way and writes the log. See docs/how-to/serve.md.
    """
    from airflow_mlops.exceptions import MlopsError
    from airflow_mlops.gateway.server import serve
    from airflow_mlops.gateway.settings import LogLimits, Settings, Tls

    if (tls_cert is None) != (tls_key is None) or (tls_client_ca is not None and tls_cert is None):
        raise click.UsageError("--tls-cert and --tls-key go together, and --tls-client-ca needs both.")
    try:
        serve(
            Settings(
                model=model,
                version=version,
                isolated=isolated,
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
                max_connections=max_connections,
                max_in_flight=max_in_flight,
                max_body_bytes=max_body_mib * 1024**2,
                max_memory_bytes=None if max_memory_mib is None else max_memory_mib * 1024**2,
                tls=None if tls_cert is None or tls_key is None else Tls(tls_cert, tls_key, tls_client_ca),
                log=LogLimits(
                    budget_bytes=int(log_budget_gib * 1024**3),
                    keep_days=log_keep_days,
                    location=log_location,
                    compact_seconds=compact_seconds,
                ),
            )
        )
    except MlopsError as error:
        raise click.ClickException(str(error)) from error
