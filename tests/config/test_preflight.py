"""What the preflight may be told, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.parts.preflight import Preflight
from airflow_mlops.config.site import Site
from airflow_mlops.exceptions import ConfigError

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()


def loaded(tmp_path: Path, preflight: str, *, level: int = 2, imports: tuple[str, ...] = ()) -> Preflight:
    path = tmp_path / "wine.yaml"
    path.write_text(f"{MINIMAL}level: {level}\npreflight: {preflight}\n")
    return load_model(path, Site(tmp_path, imports=imports)).config.preflight


@pytest.mark.parametrize(("level", "enabled"), [(1, False), (2, True), (3, True)])
def test_it_is_on_from_level_2_on(tmp_path: Path, level: int, enabled: bool) -> None:
    text = MINIMAL + "schedule: {start: 2020-01-01}\nmonitor: {cron: '@daily'}\n"
    path = tmp_path / "wine.yaml"
    path.write_text(f"{text}level: {level}\n")
    assert load_model(path).config.preflight.enabled is enabled


def test_a_folder_may_end_with_a_slash(tmp_path: Path) -> None:
    tests = loaded(tmp_path, "{tests: [wine/tests/, wine/test_rows.py]}").tests
    assert tests == ("wine/tests", "wine/test_rows.py")


@pytest.mark.parametrize("path", ["/etc/tests", "../tests", "wine//tests", "wine/.git", "-p/x", "wine tests"])
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"preflight\.tests.* is no path of tests: name a folder"):
        loaded(tmp_path, f"{{tests: ['{path}']}}")


@pytest.mark.parametrize("path", ["airflow/tests", "airflow_mlops/testing", "unittest/test", "os.py"])
def test_tests_of_airflow_and_of_python_are_no_models_tests(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"leads into (Airflow|Python)'s own code"):
        loaded(tmp_path, f"{{tests: [{path}]}}")


def test_tests_are_held_to_the_allowed_packages(tmp_path: Path) -> None:
    allowed = ("wine", "sklearn", "warehouse")
    assert loaded(tmp_path, "{tests: [wine/tests]}", imports=allowed).tests == ("wine/tests",)
    with pytest.raises(ConfigError, match="'winery/tests' leads to a package that is not allowed"):
        loaded(tmp_path, "{tests: [winery/tests]}", imports=allowed)


def test_tests_that_no_run_would_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"preflight\.tests: never run: preflight is off at level 1"):
        loaded(tmp_path, "{tests: [wine/tests]}", level=1)
    assert loaded(tmp_path, "{tests: [wine/tests], enabled: true}", level=1).enabled
    assert loaded(tmp_path, "{tests: [wine/tests], enabled: false}").enabled is False


def test_a_sample_too_small_to_hold_a_part_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sample_rows"):
        loaded(tmp_path, "{sample_rows: 3}")
