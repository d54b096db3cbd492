"""Measures what moved beyond single columns, on bounded samples."""
