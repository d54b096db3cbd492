"""The subject itself: pure rules, no I/O, no clock, no Airflow."""
