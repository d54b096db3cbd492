"""Statistics that hold however often one looks: evidence (e-values) and confidence sequences."""

from airflow_mlops.core.sequential.mean import confidence_sequence

__all__ = ["confidence_sequence"]
