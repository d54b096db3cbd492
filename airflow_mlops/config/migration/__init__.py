"""Carries a file to a newer ``apiVersion`` by edits of its text."""
