"""Fixtures for people who test their own models' YAML and DAGs, and what they give."""

from __future__ import annotations

from airflow_mlops.testing.runs import FinishedRun

__all__ = ["FinishedRun"]
