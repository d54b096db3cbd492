"""Statistics that hold however often one looks: evidence (e-values) and confidence sequences."""

from airflow_mlops.core.sequential.events import Events, excess_evidence
from airflow_mlops.core.sequential.mean import confidence_sequence
from airflow_mlops.core.sequential.quantile import above_evidence, quantile_of, ratio_evidence
from airflow_mlops.core.sequential.rate import rate_evidence
from airflow_mlops.core.sequential.share import share_evidence, share_sequence

__all__ = [
    "Events",
    "above_evidence",
    "confidence_sequence",
    "excess_evidence",
    "quantile_of",
    "rate_evidence",
    "ratio_evidence",
    "share_evidence",
    "share_sequence",
]
