"""Two models written in Python, in an Airflow DAG file: what they share is said once.

The keys are those of the YAML, and they are checked in the same way. The training data is that of
``configs/breast_cancer.yaml``; each model sees other measurements of the same cells.
"""

from typing import Any

from airflow_mlops import Model, build_dags

SHARED: dict[str, Any] = {
    "owner": "pathology",
    "tags": ["example"],
    "task": "binary_classification",
    "training": {
        "estimator": "sklearn.ensemble.RandomForestClassifier",
        "params": {"n_estimators": 50, "min_samples_leaf": 3},
    },
    "evaluation": {"metrics": ["roc_auc", "log_loss"]},
}

for group, minimum in {"mean": 0.85, "worst": 0.9}.items():
    model = Model(
        model=f"example_{group}_cells",
        description=f"Is a biopsy malignant, by the {group} measurements of its cells?",
        data={
            "source": {"type": "python", "callable": "breast_cancer.data:biopsies"},
            "time_column": "taken_at",
            "key": "biopsy_id",
            "label": "malignant",
            "features": {f"{group}_{name}": "numeric" for name in ("radius", "texture", "symmetry")},
            "window": {"start": "2024-01-01"},
            "holdout": {"length": "60 days"},
        },
        gates={
            "minimum_rows": 50,
            "rules": [{"type": "threshold", "metric": "roc_auc", "minimum": minimum}],
        },
        **SHARED,
    )
    globals().update(build_dags(model))
