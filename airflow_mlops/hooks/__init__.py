"""Airflow connections and configuration become backends."""
