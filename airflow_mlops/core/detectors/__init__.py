"""Detectors of concept drift: each reads one number a batch, and says when the loss is no longer what it was.

They read aggregates, never rows: the rows of a day are not independent, and on rows each of them fires by the
hundred. What they know is replayed from the ledger in every run, so none of them keeps a state anywhere.
"""

from airflow_mlops.core.detectors.adwin import Adwin
from airflow_mlops.core.detectors.base import Detector, State
from airflow_mlops.core.detectors.ddm import Ddm
from airflow_mlops.core.detectors.eddm import Eddm
from airflow_mlops.core.detectors.kswin import Kswin
from airflow_mlops.core.detectors.page_hinkley import PageHinkley
from airflow_mlops.core.detectors.watch import Batch, Signal, Watched, watch

__all__ = [
    "Adwin",
    "Batch",
    "Ddm",
    "Detector",
    "Eddm",
    "Kswin",
    "PageHinkley",
    "Signal",
    "State",
    "Watched",
    "watch",
]
