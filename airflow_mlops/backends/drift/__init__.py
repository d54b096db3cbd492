"""Drift at scale: kept profiles of the reference, and one pass over what is served now."""
