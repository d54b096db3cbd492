"""One bad entry of a folder must not stop the loader, nor the bundle, for all the others."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from airflow_mlops.bundles.reading import list_folder, read_folder
from airflow_mlops.factory.load import load_folders, load_one

MINIMAL = (Path(__file__).parents[1] / "config" / "minimal.yaml").read_text()
pytestmark = pytest.mark.airflow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "zz.yaml").write_text(MINIMAL)
    (tmp_path / "aa.yaml").symlink_to("gone")
    (tmp_path / "ab.yaml").symlink_to("ab.yaml")
    os.mkfifo(tmp_path / "ac.yaml")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml")).write_text(MINIMAL.replace("wine", "beer"))
    return tmp_path


def test_a_task_finds_its_model_among_files_that_cannot_be_read(folder: Path) -> None:
    assert list(load_one([folder], "wine.train").dags) == ["wine.train"]


def test_files_that_cannot_be_read_are_told_of_and_the_others_load(folder: Path) -> None:
    found = load_folders([folder])
    assert sorted(found.dags) == ["wine.deploy", "wine.rollback", "wine.train"]
    told = "\n".join(problem.message for problem in found.problems)
    assert len(found.problems) == 3
    assert told.count("cannot be read") == 2
    assert "rename it" in told
    assert told.encode("utf-8")


def test_layers_of_a_repository_above_that_cannot_be_read_do_not_stop_the_loader(folder: Path) -> None:
    inside = folder / "dags"
    inside.mkdir()
    (inside / "x.yaml").write_text(MINIMAL)
    (folder / ".git").mkdir()
    (folder / "defaults.yaml").symlink_to("/dev/zero")
    os.mkfifo(folder / "policy.yaml")
    assert sorted(load_folders([inside]).dags) == ["wine.deploy", "wine.rollback", "wine.train"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_refused_alone(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MINIMAL)
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0)
    try:
        files, refused, _ = read_folder(tmp_path)
    finally:
        (tmp_path / "closed").chmod(stat.S_IRWXU)
    assert list(files) == ["a.yaml"]
    assert "cannot be read" in refused["closed"]


def test_a_folder_that_vanishes_while_it_is_listed_is_refused_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text(MINIMAL)
    (tmp_path / "gone").mkdir()
    scan = os.scandir

    def late(path: Path) -> object:
        if path.name == "gone":
            path.rmdir()
        return scan(path)

    monkeypatch.setattr("airflow_mlops.bundles.reading.os.scandir", late)
    listing = list_folder(tmp_path)
    assert [entry.name for entry in listing.entries] == ["a.yaml"]
    assert "No such file" in listing.refused["gone"]
