"""The retraining policy."""
