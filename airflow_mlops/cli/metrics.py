"""``airflow-mlops metrics``: the ledger's numbers, printed once or for a Prometheus to scrape."""

from __future__ import annotations

import click

_FILE = click.Path(exists=True, dir_okay=False)


@click.command("metrics")
@click.option("--store", required=True, help="The store's folder or URI, as in [mlops] store.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Answer at /metrics on this port until stopped. Without it: print once, as for node_exporter's "
    "textfile collector.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option("--tls-cert", type=_FILE, help="PEM file with the server's certificate (and its chain).")
@click.option("--tls-key", type=_FILE, help="PEM file with its key.")
def command(store: str, port: int | None, host: str, tls_cert: str | None, tls_key: str | None) -> None:
    """Show what the ledgers say of every model: champion, drift, decay, labels, gates, rollouts, retraining.

    One process for all models, which only reads the store. See docs/how-to/prometheus.md.
    """
    from airflow_mlops.backends.base import Endpoints
    from airflow_mlops.backends.catalog import connect
    from airflow_mlops.backends.ledger_reader import LedgerReader
    from airflow_mlops.exceptions import MissingExtra

    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together.")
    try:
        from airflow_mlops.backends.ledger_metrics import metrics_page, serve_metrics
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "prometheus_client", "metrics") from error
    ledger = LedgerReader(connect(Endpoints(store=store)).store)
    if not ledger.all_entries():
        click.echo(f"{store} has no ledger yet; is it the store of [mlops] store?", err=True)
    if port is None:
        click.echo(metrics_page(ledger), nl=False)
        return
    try:
        bound, thread = serve_metrics(ledger, host=host, port=port, certificate=tls_cert, key=tls_key)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}:{port} ({error}); another --port or --host may be free"
        ) from error
    scheme = "http" if tls_cert is None else "https"
    click.echo(f"The ledgers of {store} are at {scheme}://{host}:{bound}/metrics")
    thread.join()
