"""The flights as requests: what the endpoint is asked, what it answered, and the labels that land later."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import httpx

from airflow_mlops.backends.base import Backends
from airflow_mlops.cli.demo.failures import DemoFailed
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.data import Data
from airflow_mlops.core.windows import Window

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What the endpoint said about one flight, and which version said it."""

    prediction: float
    version: str


def months(first: datetime, count: int) -> Iterator[Window]:
    """``count`` calendar months from ``first``, the beginning of one."""
    for offset in range(count):
        index = first.year * 12 + first.month - 1 + offset
        edges = [datetime(at // 12, at % 12 + 1, 1, tzinfo=timezone.utc) for at in (index, index + 1)]
        yield Window(edges[0], edges[1])


class Endpoint:
    """The model server as its users and its operator see it."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60)
        self._admin = {"Authorization": f"Bearer {token}"}

    def is_ready(self) -> bool:
        """Whether a champion is loaded."""
        try:
            return self._http.get("/ready").is_success
        except httpx.HTTPError:
            return False

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Answer]:
        """Each row's answer by its key."""
        body = self._post("/predict", content=json.dumps({"rows": rows}))
        return {
            str(item["key"]): Answer(float(item["prediction"]), str(item["version"]))
            for item in body["predictions"]
        }

    def flush(self) -> None:
        """Have the inference log written."""
        self._post("/admin/flush", headers=self._admin)

    def _post(self, path: str, **request: Any) -> dict[str, Any]:
        try:
            answer = self._http.post(path, **request)
        except httpx.HTTPError as error:
            raise DemoFailed(f"the model server does not answer {path}: {error}") from error
        if answer.is_error:
            raise DemoFailed(
                f"the model server answers {path} with {answer.status_code}: {answer.text[:500]}"
            )
        body: dict[str, Any] = answer.json()
        return body


class MonthOfTraffic:
    """One month of flights, sent in order of departure; cancelled ones too, for nobody knows it yet."""

    def __init__(self, config: ModelConfig, window: Window, endpoint: Endpoint, backends: Backends) -> None:
        self.window = window
        self._data: Data = config.data
        self._endpoint = endpoint
        self._backends = backends
        self.frame = _read(config, window, backends)
        fields = [self._data.key, self._data.time_column, *self._data.features]
        text = self.frame[fields].to_json(orient="records", date_format="iso")
        self._rows: list[dict[str, Any]] = json.loads(text)
        self._sent = 0
        self.answers: dict[str, Answer] = {}

    @property
    def sent_share(self) -> float:
        return self._sent / len(self._rows)

    def send(self, rows: int = BATCH_ROWS) -> bool:
        """Ask about the next few flights; False when the month is over."""
        batch = self._rows[self._sent : self._sent + rows]
        if batch:
            self.answers.update(self._endpoint.predict(batch))
            self._sent += len(batch)
        return self._sent < len(self._rows)

    def land_labels(self) -> pd.DataFrame:
        """Write the month's labels where the model's YAML looks for them; the flights that have one."""
        data = self._data
        landed = self.frame[self.frame[data.label].notna()]
        labels = landed[[data.key, data.time_column, data.label]].astype({data.label: "int64"})
        name = self.window.start.strftime("%Y-%m")
        self._backends.datasets.save_frame(f"inbox/flight_delay/labels/{name}.parquet", labels)
        return landed


def _read(config: ModelConfig, window: Window, backends: Backends) -> pd.DataFrame:
    source = config.data.source.model_dump(exclude={"type"})
    source["params"] = {**source["params"], "landed": False}
    return backends.data_source("python", source).read(
        window, time_column=config.data.time_column, columns=config.data.columns
    )
