"""Statistics that hold however often one looks: evidence (e-values), confidence sequences, and
levels that are spent from look to look."""

from airflow_mlops.core.sequential.events import Events, excess_evidence
from airflow_mlops.core.sequential.mean import confidence_sequence
from airflow_mlops.core.sequential.quantile import above_evidence, quantile_of, ratio_evidence
from airflow_mlops.core.sequential.rate import rate_evidence
from airflow_mlops.core.sequential.share import share_evidence, share_sequence
from airflow_mlops.core.sequential.spending import critical_value

__all__ = [
    "Events",
    "above_evidence",
    "confidence_sequence",
    "critical_value",
    "excess_evidence",
    "quantile_of",
    "rate_evidence",
    "ratio_evidence",
    "share_evidence",
    "share_sequence",
]
