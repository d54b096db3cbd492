"""What gates measure beyond the evaluation's metrics, one file for each type."""
