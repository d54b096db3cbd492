"""The plugin that Airflow loads from the ``airflow.plugins`` entry point."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class MlopsPlugin(AirflowPlugin):
    """Names the package under Admin > Plugins. Loaded in every Airflow process, so it imports nothing else.

    Extra links are not listed: the web server shows what the worker left in XCom and needs no class.
    """

    name = "airflow_mlops"
