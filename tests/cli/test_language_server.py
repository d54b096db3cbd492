"""A real YAML language server, as editors run it, completes and checks a model's file by our schema."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner

from airflow_mlops.cli.main import main

SERVER = "yaml-language-server@1.19.2"  # the newest for Node.js 20
MINIMAL = (Path(__file__).parents[1] / "config" / "minimal.yaml").read_text()
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server_program(request: pytest.FixtureRequest) -> Path:
    """Installed once, into pytest's cache."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no Node.js with npm here to run a YAML language server")
    cache = getattr(request.config, "cache", None)
    if cache is None:
        pytest.skip("pytest runs without its cache, where the YAML language server would be kept")
    folder = Path(cache.mkdir("yaml-language-server"))
    program = folder / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in several processes
        if not program.exists():
            _install(npm, folder)
    return program


def _install(npm: str, folder: Path) -> None:
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", "--prefix", str(folder)]
    try:
        subprocess.run(
            [npm, "install", *options, SERVER], capture_output=True, text=True, timeout=180, check=True
        )
    except subprocess.CalledProcessError as error:
        pytest.skip(f"npm could not install {SERVER}: {error.stderr[-300:]}")
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not install {SERVER} within three minutes")


class Editor:
    """The part of an editor that is needed: it speaks the Language Server Protocol over two pipes."""

    def __init__(self, program: Path) -> None:
        node = shutil.which("node")
        assert node is not None
        self.process = subprocess.Popen(
            [node, str(program), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._heard: Queue[dict[str, Any]] = Queue()
        self._last = 0
        Thread(target=self._listen, daemon=True).start()
        self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        self.tell("initialized", {})
        # Without the catalogue of schemas in the web: only the file's own first line may name one.
        settings = {"yaml": {"schemaStore": {"enable": False}, "validate": True, "completion": True}}
        self.tell("workspace/didChangeConfiguration", {"settings": settings})

    def open(self, path: Path) -> list[dict[str, Any]]:
        """Show a file to the server; what it finds wrong."""
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": path.read_text()}
        self.tell("textDocument/didOpen", {"textDocument": document})
        method = "textDocument/publishDiagnostics"
        told = self._wait(
            lambda said: said.get("method") == method and said["params"]["uri"] == path.as_uri()
        )
        found: list[dict[str, Any]] = told["params"]["diagnostics"]
        return found

    def complete(self, path: Path, line: int, column: int) -> dict[str, dict[str, Any]]:
        """What is offered at a place (from 0), by its label."""
        place = {
            "textDocument": {"uri": path.as_uri()},
            "position": {"line": line, "character": column},
        }
        return {item["label"]: item for item in self.ask("textDocument/completion", place)["items"]}

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        self._last += 1
        number = self._last
        self._say({"id": number, "method": method, "params": params})
        answer = self._wait(lambda said: said.get("id") == number and "method" not in said)
        assert "error" not in answer, answer
        return answer["result"]

    def tell(self, method: str, params: dict[str, Any]) -> None:
        self._say({"method": method, "params": params})

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    def _say(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def _wait(self, is_it: Any) -> dict[str, Any]:
        while True:
            try:
                said = self._heard.get(timeout=60)
            except Empty:
                pytest.fail("the language server did not answer within a minute")
            if "id" in said and "method" in said:  # it asks: nothing that it asks for is known here
                self._say({"id": said["id"], "result": None})
            elif is_it(said):
                return said

    def _listen(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while line := stream.readline():
            if line.lower().startswith(b"content-length:"):
                while stream.readline().strip():
                    continue
                self._heard.put(json.loads(stream.read(int(line.split(b":")[1]))))


@pytest.fixture
def editor(server_program: Path) -> Iterator[Editor]:
    editor = Editor(server_program)
    try:
        yield editor
    finally:
        editor.close()


@pytest.fixture
def first_line() -> str:
    path = CliRunner().invoke(main, ["schema", "--path"]).output.strip()
    return f"# yaml-language-server: $schema={path}\n"


def test_a_good_file_has_no_diagnostic(editor: Editor, first_line: str, tmp_path: Path) -> None:
    path = tmp_path / "wine.yaml"
    path.write_text(first_line + MINIMAL)
    assert editor.open(path) == []


def test_a_misspelt_key_is_marked_at_its_line(editor: Editor, first_line: str, tmp_path: Path) -> None:
    path = tmp_path / "wine.yaml"
    path.write_text(first_line + MINIMAL.replace("  label:", "  lable:"))
    told = {found["message"]: found["range"]["start"]["line"] for found in editor.open(path)}
    line = path.read_text().splitlines().index("  lable: is_good")
    assert told["Property lable is not allowed."] == line
    assert any("label" in message and "Missing" in message for message in told)


def test_a_key_is_completed_and_explained_and_so_are_its_values(
    editor: Editor, first_line: str, tmp_path: Path
) -> None:
    path = tmp_path / "wine.yaml"
    text = first_line + MINIMAL + "monitor:\n  dri\n"
    path.write_text(text)
    editor.open(path)
    lines = text.splitlines()
    offered = editor.complete(path, len(lines) - 1, len("  dri"))
    assert "drift" in offered
    assert "How the endpoint's inputs are compared" in json.dumps(offered["drift"]["documentation"])
    task = lines.index("task: binary_classification")
    values = editor.complete(path, task, len("task: "))
    assert {"binary_classification", "multiclass_classification", "regression"} <= set(values)
