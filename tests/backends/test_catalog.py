"""Names become parts, and what is missing is told."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from airflow_mlops.backends.base import Backends, Endpoints
from airflow_mlops.backends.catalog import PARTS, connect, load_part
from airflow_mlops.backends.import_path import load_object
from airflow_mlops.core.ledger import Entry
from airflow_mlops.exceptions import ConfigError, MissingExtra


@pytest.fixture
def backends(tmp_path: Path) -> Backends:
    return connect(Endpoints(store=str(tmp_path)))


@pytest.mark.parametrize("name", sorted(PARTS))
def test_every_part_of_the_catalogue_can_be_loaded(name: str) -> None:
    assert callable(load_part(name))


def test_connecting_imports_no_heavy_library_and_touches_no_disk(tmp_path: Path) -> None:
    code = (
        "import sys; from airflow_mlops.backends.catalog import PARTS, load_part, connect;"
        "from airflow_mlops.backends.base import Endpoints, ServingEndpoint;"
        f"b = connect(Endpoints(store={str(tmp_path / 'new')!r}, tracking='http://127.0.0.1:1',"
        " serving=ServingEndpoint('embedded', 'm', 'http://127.0.0.1:1')));"
        "b.store, b.ledger, b.datasets, b.inference_log;"
        "[load_part(name) for name in PARTS];"
        "heavy = {'pandas', 'numpy', 'pyarrow', 'sklearn', 'scipy', 'mlflow', 'evidently',"
        " 'great_expectations', 'airflow'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert not (tmp_path / "new").exists()


def test_a_backend_is_made_once(backends: Backends) -> None:
    assert backends.store is backends.store
    assert backends.ledger is backends.ledger


@pytest.mark.parametrize("form", ["{path}", "file://{path}", "file://localhost{path}"])
def test_the_store_is_a_folder_or_a_file_uri(tmp_path: Path, form: str) -> None:
    store = connect(Endpoints(store=form.format(path=tmp_path))).store
    assert store.local_path(store.put("a/b", b"")) == tmp_path / "a" / "b"


@pytest.mark.parametrize("uri", ["s3://bucket/mlops", "gs://b", "file://otherhost/x"])
def test_a_store_that_is_not_supported_is_refused_by_name(uri: str) -> None:
    with pytest.raises(ConfigError, match=rf"the store '{uri}' is not supported: .* folder or a file://"):
        _ = connect(Endpoints(store=uri)).store


def test_a_missing_library_names_the_extra_to_install(
    backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "evidently", None)
    with pytest.raises(MissingExtra, match=r"pip install 'airflow-mlops\[evidently\]'"):
        backends.drift_page()


def test_a_part_that_nobody_provides_gets_the_nearest_name(backends: Backends) -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'trainer\.callable'"):
        backends.trainer("calable", "a.b:c")
    with pytest.raises(ConfigError, match=r"There are: data_source\.parquet, data_source\.python"):
        backends.data_source("oracle", {})


def test_another_package_adds_a_part_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "acme_mlops-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-mlops\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[airflow_mlops.backends]\ndata_source.acme = acme_source:AcmeSource\n"
    )
    (tmp_path / "acme_source.py").write_text(
        "class AcmeSource:\n    def __init__(self, *, table, store):\n"
        "        self.table, self.store = table, store\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    backends = connect(Endpoints(store=str(tmp_path / "store")))
    source = backends.data_source("acme", {"type": "acme", "table": "flights"})
    assert (source.table, source.store) == ("flights", backends.store)  # type: ignore[attr-defined]


def test_what_is_not_set_names_the_connection(backends: Backends) -> None:
    with pytest.raises(ConfigError, match=r"tracking\.conn_id"):
        _ = backends.tracking
    with pytest.raises(ConfigError, match=r"deploy\.target\.conn_id"):
        _ = backends.serving


def test_the_ledger_and_the_store_of_a_run_are_one_place(backends: Backends) -> None:
    entry = Entry("m", "registered", "1", datetime.now(timezone.utc), "m.train", "r")
    backends.ledger.append(entry)
    assert backends.store.keys("ledger/m") == [f"ledger/m/{entry.id}.json"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("no.such.module:train", "there is no module 'no'. Put it in Airflow's plugins/ folder"),
        ("json.no_such:train", "there is no module 'json.no_such'"),
        ("json.decoder:JSONDecodr", "Did you mean 'JSONDecoder'"),
        ("broken_module:train", "importing broken_module raised ZeroDivisionError: division by zero"),
        ("needy_module:train", "needy_module needs 'not_installed_here', which is not installed"),
        ("nothing", "is not an import path; write package.module:function"),
        ("a:b.c", "is not an import path"),
    ],
)
def test_an_import_path_that_does_not_load_says_which_part(
    path: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_module.py").write_text("1 / 0\n")
    (tmp_path / "needy_module.py").write_text("import not_installed_here\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_object(path)
    assert told in str(caught.value)
    assert path in str(caught.value)


def test_both_forms_of_an_import_path_lead_to_the_object() -> None:
    import json.decoder

    assert load_object("json.decoder:JSONDecoder") is json.decoder.JSONDecoder
    assert load_object("json.decoder.JSONDecoder") is json.decoder.JSONDecoder
