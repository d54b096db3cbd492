"""Label arrival: how many of a window's answers have a label by now, for whoever waits for them."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.monitor_labels import Labels
from airflow_mlops.core.label_arrival import Arrived
from airflow_mlops.core.windows import Window
from airflow_mlops.steps.labels import joined_by, landed_labels


def arrived_labels(config: ModelConfig, labels: Labels, window: Window, backends: Backends) -> Arrived:
    """Count the answers that somebody saw, whichever version gave them, and those of them with a label.

    It reads the inference log and the source of labels, and no server. Raises ``DataRefused`` where the
    source cannot be read.
    """
    answers = backends.inference_log.read(config.model, window, columns=["error"])
    answers = answers[(answers["role"] != "shadow") & answers["error"].isna()]
    if not len(answers):
        return Arrived(window, 0, 0)
    by = list(joined_by(labels, answers))
    landed = landed_labels(config, labels, window, backends, by)[by].drop_duplicates()
    answers = answers[by].drop_duplicates()
    return Arrived(window, len(answers), len(answers.merge(landed, on=by)))
