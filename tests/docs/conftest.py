"""The documentation's code blocks, each a test of its own."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w*)[ ]?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: ``marks`` is what follows the language, as in ``file=dags/churn.yaml``."""

    page: Path
    line: int
    language: str
    marks: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


def pages() -> list[Path]:
    """README.md, CHANGELOG.md and everything below docs/."""
    return [
        REPOSITORY / "README.md",
        REPOSITORY / "CHANGELOG.md",
        *sorted((REPOSITORY / "docs").rglob("*.md")),
    ]


def blocks(*languages: str) -> list[Block]:
    """Blocks of these languages, page by page."""
    found = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for match in _BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(page, line, match[1], match[2].strip(), match[3]))
    return [block for block in found if block.language in languages]


def is_layer(block: Block) -> bool:
    """Whether a block is a file of the page about layers, as in ``layers=profiles/prod.yaml``."""
    return block.marks.startswith("layers=")


@dataclass(frozen=True)
class Command:
    """One line of a console block."""

    block: Block
    text: str

    def __str__(self) -> str:
        return f"{self.block} {self.text[:60]}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes one of the names below runs once for each that the documentation has."""
    commands = [
        Command(block, line.strip())
        for block in blocks("console")
        for line in block.text.splitlines()
        if line.strip()
    ]
    wanted = {
        "whole_yaml": [
            block for block in blocks("yaml") if "apiVersion" in block.text and not is_layer(block)
        ],
        "yaml_part": [block for block in blocks("yaml") if "apiVersion" not in block.text],
        "python_block": blocks("python"),
        "python_test": [
            block
            for block in blocks("python")
            if "def test_" in block.text and not block.marks.startswith("file=")
        ],
        "loader": [block for block in blocks("python") if "load_dags" in block.text],
        "announcing": [
            block
            for block in blocks("python")
            if "AnnounceOperator(" in block.text and not block.marks.startswith("file=")
        ],
        "handed_a_model": [
            block
            for block in blocks("python")
            if "TrainOperator(task_id" in block.text and "Model(" in block.text
        ],
        "shown_file": [
            block
            for block in blocks("python", "yaml")
            if block.marks.startswith(("file=dags/example", "file=configs/"))
        ],
        "output_block": [block for block in blocks("text") if block.marks.startswith("output=")],
        "message_block": [block for block in blocks("text") if block.marks == "message"],
        "command": commands,
        "page": pages(),
    }
    for name, values in wanted.items():
        if name in metafunc.fixturenames:
            assert values, f"the documentation has no {name} at all: has its markup changed?"
            metafunc.parametrize(name, [_marked(value) for value in values])


def _marked(value: object) -> object:
    """A block that trains on a whole Airflow is slow, and so is to import all of MLflow for its parser."""
    marks = []
    if isinstance(value, Block) and value.marks == "slow":
        marks = [pytest.mark.airflow, pytest.mark.slow]
    elif isinstance(value, Command) and value.text.startswith("airflow "):
        marks = [pytest.mark.airflow]
    elif isinstance(value, Command) and value.text.startswith(("mlflow ", "pytest ")):
        marks = [pytest.mark.slow]
    name = str(value.relative_to(REPOSITORY)) if isinstance(value, Path) else str(value)
    return pytest.param(value, id=name, marks=marks)


@pytest.fixture
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def tutorial(tmp_path: Path) -> Path:
    """A folder with the files of the tutorial, as a reader would have made them (and the examples')."""
    shutil.copytree(REPOSITORY / "configs", tmp_path / "configs")
    for block in blocks("yaml", "python"):
        if (
            block.page.name == "tutorial.md"
            and block.marks.startswith("file=")
            and "changes" not in block.marks
        ):
            file = tmp_path / block.marks.removeprefix("file=")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
    for block in blocks("yml"):  # files of other tools, which the reader has already
        file = tmp_path / block.marks.removeprefix("file=")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")
    shutil.copytree(REPOSITORY / "tests" / "cli" / "convert" / "fares", tmp_path / "fare_quotes")
    (tmp_path / "plugins" / "churn" / "__init__.py").touch()
    return tmp_path


@pytest.fixture
def layers(tutorial: Path) -> Path:
    """The tutorial's folder with the layers of the page about them."""
    for block in filter(is_layer, blocks("yaml")):
        file = tutorial / "dags" / block.marks.removeprefix("layers=")
        file.parent.mkdir(exist_ok=True)
        file.write_text(block.text, encoding="utf-8")
    return tutorial


@pytest.fixture
def churn_changes() -> list[Block]:
    """What the tutorial later changes in the model's YAML, in its order."""
    return [block for block in blocks("yaml") if block.marks.endswith("changes")]
