"""The DAG bundle: a plain folder, versioned by the content of its files."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.dag_processing.bundles import base
from airflow.dag_processing.bundles.base import BaseDagBundle, BundleVersionLock

from airflow_mlops.bundles.archive import Archive
from airflow_mlops.bundles.reading import IGNORE_FILE, SUFFIXES, list_folder, read_folder
from airflow_mlops.bundles.snapshot import Snapshot, make_newest, make_snapshot, unpack
from airflow_mlops.exceptions import BundleRefused

if TYPE_CHECKING:
    from airflow.dag_processing.bundles.base import BundleVersion

log = logging.getLogger(__name__)

_YAML = (".yaml", ".yml")


class ConfigFolderBundle(BaseDagBundle):
    """A folder of models' YAML files (and Python beside them) whose runs keep the files they began with.

    Airflow parses a snapshot of the folder, never the folder, and a run's tasks read the snapshot that was
    the newest when the run was made. A folder without a loader gets one in its snapshot, so that a YAML
    file becomes DAGs with no Python beside it.

    ``path``: the folder. ``archive``: where snapshots are kept for all machines; ``bundles/<name>`` in
    ``[mlops] store`` if not given. ``keep_days``: how long after its last use. ``suffixes``: which files
    belong to a snapshot. ``refresh_interval``: seconds between two looks at the folder, which are cheap.
    """

    supports_versioning = True

    def __init__(
        self,
        *,
        path: str,
        archive: str | None = None,
        keep_days: int = 90,
        suffixes: Sequence[str] = SUFFIXES,
        refresh_interval: int = 5,
        **kwargs: Any,
    ) -> None:
        super().__init__(refresh_interval=refresh_interval, **kwargs)
        self.folder = Path(path).expanduser()
        self._archive_folder = archive
        self._keep_days = keep_days
        self._suffixes = tuple(suffixes)
        self._taken: str | None = None
        self._stamp: str | None = None
        self._in_use = ExitStack()

    @property
    def path(self) -> Path:
        """The snapshot; before there is one, the folder itself."""
        version = self.version or self._taken
        return self.versions_dir / version if version else self.folder

    def initialize(self) -> None:
        """Take a snapshot, or fetch the one that a run is pinned to.

        Raises ``BundleRefused``, ``StoreUnavailable``.
        """
        if self.version is None:
            self.refresh()
        else:
            self._use(self.version)
            self._fetch(self.version)
        super().initialize()

    def refresh(self) -> None:
        """Take a new snapshot if the folder changed. Raises ``BundleRefused`` where it cannot be taken, and
        for a pinned version, which never changes; ``StoreUnavailable``."""
        if self.version is not None:
            raise BundleRefused(f"version {self.version[:12]} of {self.name} is fixed and has no newer one")
        if self._is_as_taken():
            return
        snapshot, stamp = self._read()
        version = snapshot.version
        if version != self._taken:
            self._take(snapshot)
        elif not self.path.is_dir():
            unpack(snapshot, self.path, workplace=self._workplace)
        self._stamp = stamp

    def get_current_version(self) -> str | BundleVersion | None:
        """The sha256 of the snapshot's files."""
        version = self.version or self._taken
        # Airflow 3.3 wants an object; 3.2 knows none.
        wrap = getattr(base, "BundleVersion", None)
        return version if wrap is None or version is None else wrap(version)

    def _is_as_taken(self) -> bool:
        if self._stamp is None or not self.path.is_dir():
            return False
        return list_folder(self.folder, self._suffixes).stamp == self._stamp

    def _read(self) -> tuple[Snapshot, str | None]:
        # Imported at the first use: tasks are pinned to a version and never read the folder.
        from airflow_mlops.config.tree import LIES_ABOVE, describes_a_model, layers_above

        files, refused, stamp = read_folder(self.folder, self._suffixes)
        named = ((name, body) for name, body in files.items() if name.endswith(_YAML))
        configs = {name for name, body in named if describes_a_model(Path(name), body)}
        for layer in layers_above(self.folder):
            refused[f"above.{layer.name}"] = f"{layer} {LIES_ABOVE.format(folder=self.folder)}"
        ignored = self._ignored(files) if any(name.endswith(IGNORE_FILE) for name in files) else ()
        return make_snapshot(files, configs=configs, ignored=ignored, refused=refused), stamp

    def _ignored(self, files: dict[str, bytes]) -> set[str]:
        """By Airflow's own reading of its ignore files, which has two syntaxes."""
        from airflow._shared.module_loading.file_discovery import find_path_from_directory
        from airflow.sdk.configuration import conf

        syntax = conf.get("core", "dag_ignore_file_syntax", fallback="glob")
        try:
            found = list(find_path_from_directory(self.folder, IGNORE_FILE, syntax))
        # A folder that is linked into itself; an ignore file that is no text, or holds no pattern.
        except (RuntimeError, OSError, ValueError, OverflowError, re.error) as error:
            raise BundleRefused(f"{self.folder}: {error}") from error
        return set(files) - {Path(file).relative_to(self.folder).as_posix() for file in found}

    def _take(self, snapshot: Snapshot) -> None:
        archive = self._archive()
        if self._taken is not None:
            archive.mark(self._taken)  # runs that were made until now
        archive.keep(snapshot)
        archive.prune()
        self._use(snapshot.version)
        target = self.versions_dir / snapshot.version
        unpack(snapshot, target, workplace=self._workplace)
        make_newest(target)
        self._taken = snapshot.version
        log.info("Bundle %s: version %s, %d files", self.name, self._taken[:12], len(snapshot.files))

    def _fetch(self, version: str) -> None:
        target = self.versions_dir / version
        if not target.is_dir():
            unpack(self._archive().fetch(version), target, workplace=self._workplace)

    def _use(self, version: str) -> None:
        """Hold Airflow's own mark of a version in use, so that its cleaning leaves this copy alone.

        Airflow marks what tasks use; it does not know that the DAG processor parses a version's copy.
        """
        before, self._in_use = self._in_use, ExitStack()
        mark = BundleVersionLock(self.name, version)  # type: ignore[no-untyped-call]  # Airflow left it bare
        self._in_use.enter_context(mark)
        before.close()

    @property
    def _workplace(self) -> Path:
        return self.base_dir / "drafts"

    def _archive(self) -> Archive:
        if self._archive_folder is not None:
            folder = Path(self._archive_folder).expanduser()
        else:
            from airflow_mlops.hooks.backends import store_root

            folder = Path(store_root()).expanduser() / "bundles" / self.name
        return Archive(folder, keep_days=self._keep_days)
