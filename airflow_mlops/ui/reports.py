"""The web page of one report. Imported by Airflow's API server only."""

from __future__ import annotations

import re

from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import Response

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.hooks.backends import store_root

_NAME = re.compile(r"[A-Za-z0-9_.+-]+")


def app() -> FastAPI:
    """An application with one route. Airflow mounts plugins without any login, so the route asks for it."""
    pages = FastAPI(title="airflow-mlops reports", docs_url=None, redoc_url=None, openapi_url=None)
    may_read = Depends(requires_access_dag("GET"))
    pages.get("/reports/{dag_id}/{run}/{page}", dependencies=[may_read])(report)
    return pages


def report(dag_id: str, run: str, page: str) -> Response:
    """A report of a run of this DAG, for people who may read the DAG.

    The page may hold values of the data and scripts of the tool that made it. So the browser is told to
    treat it as a stranger (CSP sandbox): it cannot act in Airflow in the reader's name.
    """
    if not all(_NAME.fullmatch(part) and set(part) != {"."} for part in (dag_id, run, page)):
        raise HTTPException(404, "There is no such report.")
    try:
        body = connect(Endpoints(store=store_root())).store.get(f"reports/{dag_id}/{run}/{page}")
    except KeyError as error:
        raise HTTPException(404, "There is no such report; it may have been cleaned up.") from error
    return Response(
        body,
        media_type="text/html",
        headers={
            "Content-Security-Policy": "sandbox allow-scripts allow-downloads",
            "X-Content-Type-Options": "nosniff",
        },
    )
