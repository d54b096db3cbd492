"""A model server that starts at once: the routes and options of ``airflow-mlops serve`` that the target uses.

Version 404 is not there, version 8 needs a column that nobody else does, and version 7 raises on each row.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

told = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
version = told["--version"]
columns = ["temp", "wind"] if version == "8" else ["temp"]
started, rows, errors = time.time(), 0, 0


def metrics() -> str:
    name, label = "mlops_gateway", f'{{version="{version}",role="champion"}}'
    buckets = "".join(
        f'{name}_model_seconds_bucket{{version="{version}",le="{bound}"}} {rows}\n'
        for bound in ("0.01", "+Inf")
    )
    return (
        f"# TYPE {name}_rows counter\n{name}_rows_total{label} {rows}\n"
        f"# TYPE {name}_row_errors counter\n{name}_row_errors_total{label} {errors}\n"
        f"# TYPE {name}_requests counter\n"
        f'{name}_requests_total{{code="200"}} {rows}\n{name}_requests_total{{code="500"}} {errors}\n'
        f'{name}_requests_total{{code="422"}} 5\n'
        f"# TYPE {name}_model_seconds histogram\n{buckets}"
        f"# TYPE {name}_request_seconds_created gauge\n{name}_request_seconds_created {started}\n"
    )


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/metrics":
            return self.answer(200, metrics().encode())
        if self.path == "/openapi.json":
            row = {"properties": {name: {} for name in columns}, "required": columns}
            return self.answer(200, json.dumps({"components": {"schemas": {"Row": row}}}).encode())
        return self.answer(200, b"{}")

    def do_POST(self) -> None:
        global rows, errors
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/predict" and version == "7":
            errors += len(body["rows"])
            return self.answer(500, b'{"detail": "it raised"}')
        if self.path == "/predict":
            rows += len(body["rows"])
        missing = [
            {"loc": ["row", name], "msg": "missing"} for name in columns if name not in body["rows"][0]
        ]
        if missing:
            return self.answer(422, json.dumps({"detail": missing}).encode())
        predictions = [int(version) / 10 for _ in body["rows"]]
        return self.answer(200, json.dumps({"version": version, "predictions": predictions}).encode())

    def answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


if version == "404":
    sys.exit("Error: there is no version 404")
ThreadingHTTPServer((told["--host"], int(told["--port"])), Handler).serve_forever()
