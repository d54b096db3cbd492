"""The benchmark's model behind BentoML: its file is BENCHMARK_MODEL, its largest batch BENCHMARK_BATCH."""

from __future__ import annotations

import os

import bentoml
import joblib
import pandas as pd

MOST = int(os.environ["BENCHMARK_BATCH"])


@bentoml.service(workers=1, traffic={"timeout": 60})
class Delays:
    def __init__(self) -> None:
        self.estimator = joblib.load(os.environ["BENCHMARK_MODEL"])

    def _predict(self, rows: list[dict]) -> list[float]:
        return self.estimator.predict_proba(pd.DataFrame(rows))[:, 1].tolist()

    if MOST > 1:

        @bentoml.api(batchable=True, max_batch_size=MOST, max_latency_ms=1_000)
        def predict(self, rows: list[dict]) -> list[float]:
            return self._predict(rows)

    else:

        @bentoml.api
        def predict(self, rows: list[dict]) -> list[float]:
            return self._predict(rows)
