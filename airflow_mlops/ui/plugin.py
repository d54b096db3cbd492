"""The plugin that Airflow loads from the ``airflow.plugins`` entry point."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

REPORTS_PATH = "/mlops"


class MlopsPlugin(AirflowPlugin):
    """Shows the reports that tasks keep in the store, behind Airflow's own login and permissions, and tells
    Airflow of the factory's timetables.

    Loaded in every Airflow process, so its parts are imported only where Airflow asks for them. Extra
    links are not listed: the web server shows what the worker left in XCom and needs no class.
    """

    name = "airflow_mlops"

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # an attribute in Airflow
        from airflow_mlops.ui.reports import app

        return [{"app": app(), "url_prefix": REPORTS_PATH, "name": "airflow-mlops reports"}]

    @property
    def timetables(self) -> list[Any]:  # type: ignore[override]  # an attribute in Airflow
        """Read where Airflow meets a timetable that is not its own."""
        from airflow_mlops.factory.timetable import CronPartitions, Until

        return [CronPartitions, Until]
