"""Fixtures for people who test their own models' YAML and DAGs."""
