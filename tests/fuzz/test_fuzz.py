"""Thousands of damaged files: each is a model or is refused at a place, and nothing else ever happens."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import mkdtemp

import pytest
import yaml
from click.testing import CliRunner

from airflow_mlops.cli.main import main
from airflow_mlops.config.migration.migrate import migrate
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.quick import quick_value
from airflow_mlops.config.scalars import Trap, resolve
from airflow_mlops.config.site import Site
from airflow_mlops.config.source import _Reader, read_source

from . import seeds
from .checks import has_its_place, is_usable, loaded
from .mutation import mutated

# AIRFLOW_MLOPS_FUZZ_FILES=300000 AIRFLOW_MLOPS_FUZZ_SEED=7 pytest tests/fuzz: longer, or elsewhere.
SEED = int(os.environ.get("AIRFLOW_MLOPS_FUZZ_SEED", "20261126"))
FILES = int(os.environ.get("AIRFLOW_MLOPS_FUZZ_FILES", "20000"))
_SECONDS_PER_FILE = 10  # for the one that never ends; a file takes a millisecond

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """In memory where there is such a place: all these files are written once and read once."""
    memory = Path("/dev/shm")
    made = Path(mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
    (made / "shown").mkdir()
    yield made
    shutil.rmtree(made)


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError("one file took too long")

    before = signal.signal(signal.SIGALRM, late)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def files(share: float, kind: str, texts: list[str]) -> Iterator[tuple[str, str]]:
    """So large a share of all files: each with a note that names it when a test fails."""
    random = Random(f"{SEED} {kind}")
    for number in range(int(FILES * share)):
        signal.alarm(_SECONDS_PER_FILE)
        yield f"{kind} {number}, seed {SEED}", mutated(random.choice(texts), random, texts)


def write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


def encodable(text: str) -> str:
    """Bytes that were no UTF-8 cannot be a text: the first test has files with such."""
    return text.encode("utf-8", "replace").decode()


def test_a_damaged_model_is_a_model_or_is_refused_at_a_place(folder: Path) -> None:
    path, models = folder / "model.yaml", seeds.models()
    for text in models:
        write(path, text)
        assert loaded(path, Site(), {str(path): text}), "each is good to begin with"
    good = 0
    for note, text in files(0.5, "model", models):
        try:
            write(path, text)
            model = loaded(path, Site(), {str(path): path.read_bytes().decode("utf-8", "replace")})
            if model is not None:
                good += 1
                is_usable(model, folder / "shown" / "shown.yaml", write)
        except BaseException as error:
            error.add_note(f"{note}:\n{text!r}")
            raise
    assert good > FILES / 40, "a fuzzer whose files all fail at once tests little"


LAYERS = {
    "defaults.yaml": seeds.DEFAULTS,
    "profiles/prod.yaml": seeds.PROFILE,
    "policy.yaml": seeds.POLICY,
    "team/churn.yaml": seeds.MODEL,
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_damaged_layer_leaves_a_model_or_is_refused_at_a_place(folder: Path, name: str) -> None:
    root = folder / name.replace("/", "-")
    texts = {}
    for each, text in {**LAYERS, "team/suite.json": seeds.SUITE}.items():
        (root / each).parent.mkdir(parents=True, exist_ok=True)
        write(root / each, text)
        texts[str(root / each)] = text
    path, site = root / "team" / "churn.yaml", Site(root=root, profile="prod")
    model = loaded(path, site, texts)
    assert model is not None, "the tree is good to begin with"
    is_usable(model, folder / "shown" / "shown.yaml", write)
    random = Random(f"{SEED} {name}")
    for note, text in files(0.075, name, [LAYERS[name]]):
        if random.random() < 0.3:  # pieces of the other files
            text = mutated(text, random, list(LAYERS.values()))
        text = encodable(text)
        try:
            write(root / name, text)
            model = loaded(path, site, {**texts, str(root / name): text})
            if model is not None:
                is_usable(model, folder / "shown" / "shown.yaml", write)
        except BaseException as error:
            error.add_note(f"{note}:\n{text!r}")
            raise


def test_a_damaged_suite_leaves_a_model_or_is_refused_in_the_yaml(folder: Path) -> None:
    path, suite = folder / "suite" / "churn.yaml", folder / "suite" / "suite.json"
    path.parent.mkdir()
    yaml_text = seeds.MODEL.replace("${vars.team}", "us")
    write(path, yaml_text)
    tokens = [
        "NaN",
        "-Infinity",
        "1e999",
        "9" * 60,
        '"\\ud800"',
        '"\\u0000"',
        "[" * 100 + "]" * 100,
        '{"a": 1}',
    ]
    random = Random(f"{SEED} values")
    for note, text in files(0.05, "suite", [seeds.SUITE]):
        if random.random() < 0.3:
            text = seeds.SUITE.replace(random.choice(["0", "1.5e2", '"age"', "1}"]), random.choice(tokens), 1)
        try:
            write(suite, text)
            model = loaded(path, Site(), {str(path): yaml_text})
            if model is not None:
                is_usable(model, folder / "shown" / "shown.yaml", write)
        except BaseException as error:
            error.add_note(f"{note}:\n{text!r}")
            raise


def test_a_damaged_old_file_is_migrated_or_is_refused(folder: Path) -> None:
    for note, text in files(0.1, "migrate", [seeds.OLD, seeds.OLD, seeds.MODEL + "retries: 3\n"]):
        text = encodable(text)
        try:
            done = migrate(text, "old.yaml")
            assert done.now == "airflow-mlops/v1"
        except InvalidConfig as error:
            for problem in error.problems:
                has_its_place(problem, {"old.yaml": text})
        except BaseException as error:
            error.add_note(f"{note}:\n{text!r}")
            raise


def test_what_is_read_is_what_pyyaml_reads_but_for_words_that_mean_two_things() -> None:
    same = 0
    for note, text in files(0.1, "reader", [*seeds.models(), *LAYERS.values()]):
        text = encodable(text)
        try:
            document = read_source(text, "x.yaml")
        except InvalidConfig:
            continue
        if document.problems or "!" in text:
            continue  # a lone ! makes text of a word, which PyYAML does not tell its constructors
        quick = quick_value(text)
        assert quick is None or repr(quick) == repr(_Reader("x.yaml", ()).read_text(text).value), (note, text)
        try:
            theirs = yaml.load(text, Loader=_OneTwo)
            assert document.root.value == theirs
        except BaseException as error:
            if isinstance(error, yaml.composer.ComposerError) and "duplicate anchor" in str(error):
                continue  # which YAML 1.2 allows, and PyYAML does not
            error.add_note(f"{note}:\n{text!r}")
            raise
        same += 1
    assert same > FILES / 100


def test_lint_ends_with_0_or_1_whatever_it_is_given(folder: Path) -> None:
    root = folder / "lint"
    root.mkdir()
    everything = [*seeds.models(), *LAYERS.values(), seeds.OLD]
    names = ("a.yaml", "b.yml", "defaults.yaml", "policy.yaml", ".airflowignore")
    forms = ("text", "json", "sarif", "github")
    random = Random(f"{SEED} lint")
    for number, (note, text) in enumerate(files(0.02, "lint", everything)):
        write(root / random.choice(names), text)
        done = CliRunner().invoke(main, ["lint", str(root), "--format", forms[number % 4]])
        assert done.exit_code in (0, 1), (note, text, done.output)
        assert done.exception is None or isinstance(done.exception, SystemExit), (note, text)


class _OneTwo(yaml.CSafeLoader):
    """PyYAML's own reading, in which unquoted words mean what YAML 1.2 says."""


def _scalar(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> object:
    value = resolve(node.value) if not node.style else node.value
    return node.value if isinstance(value, Trap) else value


_OneTwo.yaml_implicit_resolvers = {}
_OneTwo.add_constructor("tag:yaml.org,2002:str", _scalar)
