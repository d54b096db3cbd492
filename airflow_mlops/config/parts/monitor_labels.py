"""Where the truth about served answers comes from."""

from __future__ import annotations

from airflow_mlops.config.parts.base import Part
from airflow_mlops.config.parts.data import Source


class Labels(Part):
    """Where true labels land later."""

    source: Source
