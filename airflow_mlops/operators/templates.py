"""``{{ }}`` in a configuration: Airflow fills it in when a task runs, where rows or parameters are named."""

from __future__ import annotations

import json
from typing import Any

from airflow.sdk import BaseOperator
from jinja2 import TemplateError

from airflow_mlops.exceptions import ConfigError

# Elsewhere a template would let a run's facts decide what a model must prove.
TEMPLATED = (("data", "source"), ("score", "source"), ("monitor", "labels"), ("training", "params"))


def rendered(config: dict[str, Any], operator: BaseOperator, context: Any) -> dict[str, Any]:
    """The configuration's JSON with the templates of those parts filled in.

    The digest is that of the configuration as written. Raises ``ConfigError`` that names the part whose
    template cannot be filled in.
    """
    for above, key in TEMPLATED:
        part = (config[above] or {}).get(key)
        if "{{" not in (text := json.dumps(part)) and "{%" not in text:
            continue
        try:
            config[above][key] = operator.render_template(part, context)
        except TemplateError as error:
            raise ConfigError(
                f"{above}.{key} of model {config['model']}: a template cannot be filled in for this run: "
                f"{error}. A run by hand or by an asset has no logical date, so none of ds, ts and "
                "data_interval_start; dag_run.run_after is there in every run."
            ) from error
    return config
