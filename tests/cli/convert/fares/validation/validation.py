from mlflow.models import MetricThreshold


def custom_metrics():
    return []


def validation_thresholds():
    return {
        "mean_on_target": MetricThreshold(threshold=500, higher_is_better=False),
        "mean_squared_error": MetricThreshold(
            threshold=400, min_absolute_change=0.01, greater_is_better=False
        ),
        "r2_score": MetricThreshold(threshold=0.6, greater_is_better=True),
    }
