"""Runs the inference log's compaction beside the server, in a process of its own.

Parsing what was logged would hold this interpreter for seconds, and every request with it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from airflow_mlops.core.inference_files import RAW
from airflow_mlops.gateway.settings import Settings

_LONGEST_SECONDS = 3_600.0


class Compaction:
    """``problem`` says why the last one failed, or is None. What was logged is readable all the same."""

    def __init__(self, settings: Settings) -> None:
        self.problem: str | None = None
        self._settings = settings
        self._raw = settings.store / "inference" / settings.model / RAW
        self._task: asyncio.Task[None] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self._settings.log.compact_seconds > 0:
            self._task = asyncio.create_task(self._every())

    async def stop(self) -> None:
        """A compaction under way is ended: the next one finishes what it began."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if (process := self._process) is not None:
            process.kill()

    async def once(self) -> None:
        """Compact what is closed, if there is anything."""
        # A thread that waits, since an event loop may start processes only on the main thread.
        self.problem = await asyncio.to_thread(self._run)

    def _run(self) -> str | None:
        try:
            if not any(self._raw.glob("*.log")):
                return None
            with subprocess.Popen(
                self._command(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            ) as process:
                self._process = process
                try:
                    _, said = process.communicate(timeout=_LONGEST_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise
        except (OSError, subprocess.SubprocessError) as error:
            return f"The compaction of the inference log did not end well: {error}"
        finally:
            self._process = None
        if not process.returncode:
            return None
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:]
        return f"The inference log could not be compacted: {''.join(last) or 'it was killed'}"

    def _command(self) -> list[str]:
        settings = self._settings
        command = [sys.executable, "-m", "airflow_mlops", "compact-log"]
        command += ["--model", settings.model, "--store", str(Path(settings.store).absolute())]
        if settings.log.location is not None:
            command += ["--log", settings.log.location]
        if settings.log.keep_days is not None:
            command += ["--keep-days", str(settings.log.keep_days)]
        return command

    async def _every(self) -> None:
        while True:
            await asyncio.sleep(self._settings.log.compact_seconds)
            await self.once()
