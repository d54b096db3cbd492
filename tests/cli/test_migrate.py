"""``airflow-mlops migrate``, as people and their CI call it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from airflow_mlops.cli.main import main
from airflow_mlops.config.models import API_VERSION

MINIMAL = (Path(__file__).parents[1] / "config" / "minimal.yaml").read_text()
OLD = "airflow-mlops/v1beta1"
BEFORE = MINIMAL.replace(API_VERSION, OLD) + "\n# Enough.\nretries: 4  # four\n"
AFTER = MINIMAL + "\nexecution:\n  # Enough.\n  retries: 4  # four\n"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["migrate", *(str(argument) for argument in arguments)])


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "wine.yaml"
    path.parent.mkdir()
    path.write_text(BEFORE)
    path.chmod(0o640)
    return path


def test_a_file_is_migrated_in_place_with_its_mode_and_then_lints(old: Path) -> None:
    result = run(old)
    assert (result.exit_code, result.stdout) == (0, f"{old}: {OLD} -> {API_VERSION}\n")
    assert result.stderr == "1 file migrated\n"
    assert old.read_text() == AFTER
    assert old.stat().st_mode & 0o7777 == 0o640
    assert list(old.parent.iterdir()) == [old]
    assert CliRunner().invoke(main, ["lint", str(old)]).exit_code == 0


def test_a_file_of_the_newest_version_is_not_touched(old: Path) -> None:
    run(old)
    os.utime(old, ns=(1, 1))
    inode = old.stat().st_ino
    result = run(old)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"1 file {API_VERSION} already\n"
    assert (old.stat().st_mtime_ns, old.stat().st_ino) == (1, inode)


def test_a_folder_is_searched_for_files_of_ours_whole_models_or_not(old: Path) -> None:
    part = old.with_name("defaults.yaml")
    part.write_text(f"apiVersion: {OLD}\nretries: 2\n")
    other = old.with_name("other.yaml")
    other.write_text("retries: 2\n")
    (old.parent / "deep").mkdir()
    new = old.parent / "deep" / "new.yml"
    new.write_text(MINIMAL)
    result = run(old.parent)
    assert result.stderr == f"1 file {API_VERSION} already, 2 files migrated\n"
    assert part.read_text() == f"apiVersion: {API_VERSION}\nexecution:\n  retries: 2\n"
    assert (other.read_text(), new.read_text()) == ("retries: 2\n", MINIMAL)


def test_bytes_that_the_migration_is_not_about_stay(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + f"a: é\r\napiVersion: {OLD}\r\nretries: 2\r\nb:   1".encode())
    assert run(path).exit_code == 0
    after = f"a: é\r\napiVersion: {API_VERSION}\r\nexecution:\r\n  retries: 2\r\nb:   1"
    assert path.read_bytes() == b"\xef\xbb\xbf" + after.encode()


def test_check_writes_nothing_and_ends_with_1_while_a_file_is_behind(old: Path) -> None:
    result = run("--check", old.parent)
    assert (result.exit_code, old.read_text()) == (1, BEFORE)
    assert result.stdout == f"{old}: {OLD}, {API_VERSION} is newer\n"
    assert result.stderr == "1 file to migrate\n"
    run(old)
    assert run("--check", old.parent).exit_code == 0


@pytest.mark.parametrize("cut", [0, 1])
def test_diff_writes_nothing_and_is_a_patch(old: Path, cut: int) -> None:
    before, after = (text[: len(text) - cut] for text in (BEFORE, AFTER))
    old.write_text(before)
    result = run("--diff", old)
    assert (result.exit_code, old.read_text()) == (0, before)
    assert f"-apiVersion: {OLD}\n+apiVersion: {API_VERSION}\n" in result.stdout
    assert run("--diff", "--check", old).exit_code == 1
    if shutil.which("git"):
        patch = result.stdout.replace(str(old), "wine.yaml")
        subprocess.run(["git", "apply", "-p0"], input=patch, text=True, cwd=old.parent, check=True)
        assert old.read_text() == after


def test_a_problem_leaves_its_file_alone_and_the_others_are_migrated(old: Path) -> None:
    bad = old.with_name("bad.yaml")
    text = f"apiVersion: {OLD}\nretries: 2\nexecution: {{retries: 3}}\n"
    bad.write_text(text)
    unknown = old.with_name("zz.yaml")
    unknown.write_text("model: x\napiVersion: airflow-mlops/v7\n")
    result = run(old.parent)
    assert result.exit_code == 1
    assert f"{bad}:2:1: retries: is now execution.retries, which is given as well, in line 3" in result.stdout
    assert (
        f"{unknown}:2:13: apiVersion: 'airflow-mlops/v7' is not a version this release knows" in result.stdout
    )
    assert result.stderr == "1 file migrated, 2 files left alone because of problems\n"
    assert (bad.read_text(), old.read_text()) == (text, AFTER)


def test_a_link_is_followed_inside_the_folder_and_stays_a_link(old: Path) -> None:
    link = old.with_name("a.yaml")
    link.symlink_to("wine.yaml")
    result = run(old.parent)
    assert (result.exit_code, result.stderr) == (0, "1 file migrated\n")
    assert (link.is_symlink(), old.read_text()) == (True, AFTER)


def test_a_link_that_leads_out_of_the_folder_is_refused(old: Path, tmp_path: Path) -> None:
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "wine.yaml").symlink_to(old)
    for given in (folder, folder / "wine.yaml"):
        result = run(given)
        assert result.exit_code == 1
        assert (
            f"a link to {old}, outside of {folder}; nothing was written; name the file itself"
            in result.stdout
        )
        assert old.read_text() == BEFORE


def test_a_given_folder_may_itself_be_a_link(old: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(old.parent)
    assert run(tmp_path / "linked").exit_code == 0
    assert old.read_text() == AFTER


def test_a_read_only_file_is_a_problem_also_to_root(old: Path) -> None:
    old.chmod(0o440)
    result = run(old)
    assert (result.exit_code, old.read_text()) == (1, BEFORE)
    assert "cannot be written: the file is read-only" in result.stdout


def test_a_write_that_fails_leaves_the_file_and_no_other(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = run(old)
    assert result.exit_code == 1
    assert f"{old}: cannot be written: No space left on device" in result.stdout
    assert (list(old.parent.iterdir()), old.read_text()) == ([old], BEFORE)


def test_a_folder_without_files_of_ours_is_said(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert (result.exit_code, result.stderr) == (1, "no file with apiVersion airflow-mlops/... there\n")
