"""A pod's program that starts at once: it counts what it is asked, and says what it was started with."""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

asked = 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        global asked
        if self.path.startswith("/predict"):
            asked += 1
        body = json.dumps({"name": name, "asked": asked, "path": self.path, "env": dict(os.environ)}).encode()
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        return


name, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.stdout.write(f"{name} starts\n")
sys.stdout.flush()
if name.startswith("broken"):
    sys.exit(f"{name}: there is no such model")
ThreadingHTTPServer((host, port), Handler).serve_forever()
