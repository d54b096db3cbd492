"""The parts of a model's YAML, one file for each chapter of it."""
