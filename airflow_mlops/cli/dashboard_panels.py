"""The dashboard's panels, row by row: what each asks Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

_MODEL = 'model=~"$model"'
_SERVER = 'instance=~"$instance"'
_FAILED = f'{_SERVER}, code=~"5.."'
_RATE = "[$__rate_interval]"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: ``queries`` are PromQL by the legend of their series."""

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    kind: Literal["timeseries", "stat"] = "timeseries"
    width: int = 8
    help: str = ""


ROWS: Mapping[str, tuple[Panel, ...]] = {
    "Now": (
        Panel(
            "Champion", {"{{model}}: {{version}}": f"mlops_champion_info{{{_MODEL}}}"}, kind="stat", width=6
        ),
        Panel(
            "Champion's age",
            {"{{model}}": f"time() - mlops_champion_since_timestamp_seconds{{{_MODEL}}}"},
            unit="s",
            kind="stat",
            width=6,
        ),
        Panel(
            "Latest window looked at, ended",
            {"{{model}}": f"time() - mlops_window_end_timestamp_seconds{{{_MODEL}}}"},
            unit="s",
            kind="stat",
            width=6,
        ),
        Panel(
            "Wants attention",
            {
                "{{model}} drifted": f"mlops_drifted{{{_MODEL}}}",
                "{{model}} decayed": f"mlops_decayed{{{_MODEL}}}",
                "{{model}} broken data": f"mlops_upstream_fault{{{_MODEL}}}",
                "{{model}} breaker open": f"mlops_circuit_breaker_open{{{_MODEL}}}",
            },
            kind="stat",
            width=6,
            help="1 where it is so, by the latest window that says so or not.",
        ),
    ),
    "Data and quality": (
        Panel(
            "Columns that drifted",
            {"{{model}}": f"mlops_drifted_columns_ratio{{{_MODEL}}}"},
            unit="percentunit",
        ),
        Panel(
            "Metric, observed and promised",
            {
                "{{model}} {{metric}} observed": f"mlops_observed_metric{{{_MODEL}}}",
                "{{model}} {{metric}} promised": f"mlops_promised_metric{{{_MODEL}}}",
                "{{model}} {{metric}} estimated": f"mlops_estimated_metric{{{_MODEL}}}",
            },
            help="On the labels that have landed, against what the champion reached when it was promoted.",
        ),
        Panel(
            "Answers with a label",
            {
                "{{model}}": f"mlops_label_coverage_ratio{{{_MODEL}}}",
                "{{model}} usually": f"mlops_label_coverage_expected_ratio{{{_MODEL}}}",
            },
            unit="percentunit",
        ),
        Panel("Shift of the predictions (PSI)", {"{{model}}": f"mlops_prediction_drift_psi{{{_MODEL}}}"}),
        Panel("Rows in a window", {"{{model}}": f"mlops_window_rows{{{_MODEL}}}"}),
        Panel(
            "Windows looked at, a day",
            {"{{model}}": f"increase(mlops_windows_monitored_total{{{_MODEL}}}[1d])"},
        ),
        Panel(
            "Rows monitored, a day",
            {"{{model}}": f"increase(mlops_rows_monitored_total{{{_MODEL}}}[1d])"},
        ),
    ),
    "Training and rollouts": (
        Panel(
            "Retraining, a week",
            {
                "{{model}} asked for, {{cause}}": f"increase(mlops_retrains_requested_total{{{_MODEL}}}[7d])",
                "{{model}} refused, {{refusal}}": (
                    f"sum by (model, refusal) (increase(mlops_retrains_refused_total{{{_MODEL}}}[7d]))"
                ),
            },
        ),
        Panel(
            "Challengers at the gates, a week",
            {"{{model}} {{outcome}}": f"increase(mlops_challengers_gated_total{{{_MODEL}}}[7d])"},
        ),
        Panel(
            "Versions registered, a week",
            {"{{model}} {{role}}": f"increase(mlops_versions_registered_total{{{_MODEL}}}[7d])"},
        ),
        Panel(
            "Rollouts that ended, a week",
            {
                "{{model}} {{outcome}}": f"increase(mlops_rollouts_total{{{_MODEL}}}[7d])",
                "{{model}} put back": f"increase(mlops_reversals_total{{{_MODEL}}}[7d])",
            },
        ),
        Panel(
            "Open rollout",
            {
                "{{model}} open": f"mlops_rollout_open{{{_MODEL}}}",
                "{{model}} stages {{state}}": f"mlops_rollout_stages{{{_MODEL}}}",
            },
        ),
        Panel(
            "Waiting",
            {
                "{{model}} requests": f"mlops_retrain_requests_pending{{{_MODEL}}}",
                "{{model}} challengers": f"mlops_challengers_pending{{{_MODEL}}}",
            },
        ),
        Panel(
            "Alerts told, a week",
            {"{{model}} {{event}}": f"sum by (model, event) (increase(mlops_alerts_total{{{_MODEL}}}[7d]))"},
        ),
    ),
    "Model servers": (
        Panel("Ready", {"{{model}} {{instance}}": f"mlops_gateway_ready{{{_SERVER}}}"}, kind="stat"),
        Panel(
            "Versions that serve",
            {"{{model}} {{role}} {{version}}": f"mlops_gateway_model_info{{{_SERVER}}}"},
            kind="stat",
        ),
        Panel(
            "Challenger's share of rows",
            {"{{instance}}": f"mlops_gateway_challenger_weight{{{_SERVER}}}"},
            unit="percentunit",
        ),
        Panel(
            "Requests",
            {
                "{{instance}} {{code}}": (
                    f"sum by (instance, code) (rate(mlops_gateway_requests_total{{{_SERVER}}}{_RATE}))"
                )
            },
            unit="reqps",
        ),
        Panel(
            "Requests with an error of the server",
            {
                "{{instance}}": (
                    f"sum by (instance) (rate(mlops_gateway_requests_total{{{_FAILED}}}{_RATE})) "
                    f"/ sum by (instance) (rate(mlops_gateway_requests_total{{{_SERVER}}}{_RATE})) "
                    f"or 0 * sum by (instance) (rate(mlops_gateway_requests_total{{{_SERVER}}}{_RATE}))"
                )
            },
            unit="percentunit",
        ),
        Panel(
            "Latency of requests",
            {
                f"{{{{instance}}}} p{100 * quantile:g}": (
                    f"histogram_quantile({quantile}, sum by (instance, le) "
                    f"(rate(mlops_gateway_request_seconds_bucket{{{_SERVER}}}{_RATE})))"
                )
                for quantile in (0.5, 0.99)
            },
            unit="s",
        ),
        Panel(
            "Rows, by version",
            {
                "{{instance}} {{role}} {{version}}": (
                    f"sum by (instance, role, version) (rate(mlops_gateway_rows_total{{{_SERVER}}}{_RATE}))"
                )
            },
            unit="rowsps",
        ),
        Panel(
            "Rows that a version raised on",
            {
                "{{instance}} {{role}} {{version}}": (
                    "sum by (instance, role, version) "
                    f"(rate(mlops_gateway_row_errors_total{{{_SERVER}}}{_RATE}))"
                )
            },
            unit="rowsps",
        ),
        Panel(
            "Latency of models (p99)",
            {
                "{{instance}} {{version}}": (
                    "histogram_quantile(0.99, sum by (instance, version, le) "
                    f"(rate(mlops_gateway_model_seconds_bucket{{{_SERVER}}}{_RATE})))"
                )
            },
            unit="s",
        ),
        Panel("Requests under way", {"{{instance}}": f"mlops_gateway_requests_in_flight{{{_SERVER}}}"}),
        Panel("Memory", {"{{instance}}": f"mlops_gateway_memory_bytes{{{_SERVER}}}"}, unit="bytes"),
        Panel(
            "Inference log on disk", {"{{instance}}": f"mlops_gateway_log_bytes{{{_SERVER}}}"}, unit="bytes"
        ),
        Panel(
            "Log rows written and lost",
            {
                "{{instance}} written": f"rate(mlops_gateway_log_rows_written_total{{{_SERVER}}}{_RATE})",
                "{{instance}} dropped": f"rate(mlops_gateway_log_rows_dropped_total{{{_SERVER}}}{_RATE})",
                "{{instance}} shadow dropped": (
                    f"rate(mlops_gateway_shadow_rows_dropped_total{{{_SERVER}}}{_RATE})"
                ),
            },
            unit="rowsps",
        ),
        Panel(
            "Versions that did not load, a day",
            {"{{instance}} {{version}}": f"increase(mlops_gateway_load_failures_total{{{_SERVER}}}[1d])"},
        ),
    ),
}
