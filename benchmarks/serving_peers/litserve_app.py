"""The benchmark's model behind LitServe: python litserve_app.py MODEL PORT BATCH."""

from __future__ import annotations

import sys

import joblib
import litserve
import pandas as pd


class Delays(litserve.LitAPI):
    def setup(self, device):  # noqa: ARG002 - LitServe hands it over
        self.estimator = joblib.load(sys.argv[1])

    def decode_request(self, request):
        return request["rows"]

    def batch(self, inputs):
        self.sizes = list(map(len, inputs))
        return [row for rows in inputs for row in rows]

    def predict(self, rows):
        return self.estimator.predict_proba(pd.DataFrame(rows))[:, 1].tolist()

    def unbatch(self, output):
        values = iter(output)
        return [[next(values) for _ in range(size)] for size in self.sizes]

    def encode_response(self, output):
        return {"predictions": output}


if __name__ == "__main__":
    most = int(sys.argv[3])
    api = Delays(max_batch_size=most, batch_timeout=0.002) if most > 1 else Delays()
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, log_level="warning")
