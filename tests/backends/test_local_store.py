"""What holds of the local store beyond the contract: crashes, full disks, permissions."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

from airflow_mlops.backends.store import LocalStore


def _run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_write_that_runs_out_of_room_leaves_the_old_object_and_no_litter(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("reports/m/page", b"old")
    done = _run(
        """
        import resource, signal, sys
        from airflow_mlops.backends.store import LocalStore
        from airflow_mlops.exceptions import StoreUnavailable
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        for write in (LocalStore(sys.argv[1]).put, LocalStore(sys.argv[1]).put_new):
            try:
                write("reports/m/page", b"x" * 10_000)
            except StoreUnavailable as error:
                print(error)
        """,
        str(tmp_path),
    )
    assert done.stdout.count("reports/m/page: File too large. The object is larger") == 2, done.stderr
    assert store.get("reports/m/page") == b"old"
    assert [path.name for path in (tmp_path / "reports" / "m").iterdir()] == ["page"]


def test_a_writer_killed_in_mid_write_leaves_nothing_that_can_be_read(tmp_path: Path) -> None:
    done = _run(
        """
        import os, signal, sys
        from airflow_mlops.backends.store import LocalStore
        os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
        LocalStore(sys.argv[1]).put_new("ledger/m/1", b"whole")
        """,
        str(tmp_path),
    )
    assert done.returncode == -signal.SIGKILL
    store = LocalStore(tmp_path)
    assert store.keys("ledger/m") == []
    assert store.put_new("ledger/m/1", b"by the next run")


def test_objects_are_as_readable_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        store = LocalStore(tmp_path)
        store.put("a", b"")
        store.put_new("b", b"")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [0o644, 0o644]


def test_a_folder_on_another_disk_may_be_linked_in(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "inference").symlink_to(tmp_path / "elsewhere")
    store = LocalStore(tmp_path / "store")
    store.put("inference/m/1.parquet", b"rows")
    assert store.keys("inference/m") == ["inference/m/1.parquet"]


def test_opening_a_store_touches_no_disk(tmp_path: Path) -> None:
    LocalStore(tmp_path / "not yet")
    assert not (tmp_path / "not yet").exists()
