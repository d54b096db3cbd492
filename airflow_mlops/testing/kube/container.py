"""One container as a process: its words and variables, its log, its probes and its back-off."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO

from airflow_mlops.backends.kube.api import Object
from airflow_mlops.exceptions import BackendUnavailable
from airflow_mlops.testing.kube.objects import now
from airflow_mlops.testing.kube.place import Place
from airflow_mlops.testing.kube.probes import Probe

_FIRST_BACK_OFF, _LONGEST_BACK_OFF = 10, 300
_VARIABLE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


class Waiting(Exception):
    """Why a container cannot be started yet: the API's reason, and the message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Container:
    """A process, started again with ever longer pauses where the pod's policy says so."""

    def __init__(self, place: Place, spec: Object) -> None:
        self.name: str = spec["name"]
        self._place = place
        self._spec = spec
        self._second = place.setup.second
        self._process: subprocess.Popen[bytes] | None = None
        self._restarts = -1
        self._start_at = 0.0
        self._state: Object = {"waiting": {"reason": "ContainerCreating"}}
        self._last_state: Object = {}
        self._ended = False
        self._ready = False
        self._probes: dict[str, Probe] = {}

    def turn(self, at: float) -> None:
        """Look once: start what is due, note what has ended, probe what runs."""
        if self._process is not None and (code := self._process.poll()) is not None:
            self._note_end(code, at)
        elif self._process is not None:
            self._probe(at)
        elif not self._ended and at >= self._start_at:
            self._try_start(at)

    def status(self) -> Object:
        return {
            "name": self.name,
            "image": self._spec.get("image", ""),
            "imageID": "",
            "ready": self._ready,
            "restartCount": max(self._restarts, 0),
            "started": self._ready,
            "state": self._state,
            "lastState": self._last_state,
        }

    def log(self, *, previous: bool) -> bytes | None:
        file = self._log_file(self._restarts - previous)
        return file.read_bytes() if file.exists() else None

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        """Wait for the end, and enforce it when the time is over."""
        if self._process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _try_start(self, at: float) -> None:
        try:
            words, env = self._command()
        except Waiting as waiting:
            self._state = {"waiting": {"reason": waiting.reason, "message": waiting.message}}
            self._start_at = at + self._second
            return
        except BackendUnavailable:
            return
        self._restarts += 1
        try:
            with self._log_file(self._restarts).open("ab") as log:
                self._process = self._popen(words, env, log)
        except OSError as error:
            self._state = {"waiting": {"reason": "RunContainerError", "message": str(error)}}
            self._start_at = at + self._second
            return
        self._state = {"running": {"startedAt": now()}}
        probes = {
            name: self._spec[f"{name}Probe"]
            for name in ("startup", "readiness", "liveness")
            if f"{name}Probe" in self._spec
        }
        self._probes = {
            name: Probe(probe, self._place.address, self._ports(), self._second, at)
            for name, probe in probes.items()
        }
        self._ready = not self._probes.keys() & {"startup", "readiness"}

    def _popen(self, words: list[str], env: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            words,
            env=env,
            cwd=self._place.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A group of its own, so that a signal reaches what it has started as well.
            start_new_session=True,
        )

    def _note_end(self, code: int, at: float) -> None:
        """Code by the API's rule: 128 plus the signal."""
        code = code if code >= 0 else 128 - code
        ended = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": self._state.get("running", {}).get("startedAt"),
            "finishedAt": now(),
        }
        self._process, self._ready = None, False
        policy = self._place.pod["spec"].get("restartPolicy", "Always")
        if policy == "Never" or (policy == "OnFailure" and code == 0):
            self._state, self._ended = {"terminated": ended}, True
            return
        pause = min(_FIRST_BACK_OFF * 2**self._restarts, _LONGEST_BACK_OFF)
        pod_name = self._place.pod["metadata"]["name"]
        message = f"back-off {pause}s restarting failed container={self.name} pod={pod_name}"
        self._state = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        self._last_state = {"terminated": ended}
        self._start_at = at + pause * self._second

    def _probe(self, at: float) -> None:
        startup = self._probes.get("startup")
        if startup is not None and startup.holds is not True:
            startup.turn(at)
            if startup.holds is False:
                self._signal(signal.SIGKILL)
            return
        if (liveness := self._probes.get("liveness")) is not None:
            liveness.turn(at)
            if liveness.holds is False:
                self._signal(signal.SIGKILL)
                return
        readiness = self._probes.get("readiness")
        if readiness is None:
            self._ready = True
        else:
            readiness.turn(at)
            self._ready = readiness.holds is True

    def _command(self) -> tuple[list[str], dict[str, str]]:
        """The process's words and environment. Raises ``Waiting`` as long as something is missing."""
        image = self._spec.get("image", "")
        entrypoint = self._place.setup.images.get(image)
        if entrypoint is None:
            pulled = (
                "ImagePullBackOff" if self._state["waiting"]["reason"] == "ErrImagePull" else "ErrImagePull"
            )
            raise Waiting(pulled, f'Back-off pulling image "{image}"')
        env = self._environment()
        words = [*(self._spec.get("command") or entrypoint), *(self._spec.get("args") or ())]
        base = {
            name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")
        }
        told = {name: self._localized(value) for name, value in env.items()}
        return [self._localized(_expanded(word, env)) for word in words], {**base, **told}

    def _environment(self) -> dict[str, str]:
        env: dict[str, str] = {}
        for source in self._spec.get("envFrom") or ():
            for kind in ("secret", "configMap"):
                if (reference := source.get(f"{kind}Ref")) is not None:
                    values = self._values(reference, kind)
                    env |= {f"{source.get('prefix', '')}{k}": v for k, v in values.items()}
        for one in self._spec.get("env") or ():
            env[one["name"]] = self._value(one, env)
        return env

    def _value(self, one: Object, env: dict[str, str]) -> str:
        origin = one.get("valueFrom")
        if origin is None:
            return _expanded(one.get("value", ""), env)
        if (reference := origin.get("fieldRef")) is not None:
            return self._place.field(reference["fieldPath"])
        for kind in ("secret", "configMap"):
            if (reference := origin.get(f"{kind}KeyRef")) is not None:
                values = self._values(reference, kind)
                if reference["key"] not in values and not reference.get("optional"):
                    said = f"couldn't find key {reference['key']} in {kind} {reference['name']}"
                    raise Waiting("CreateContainerConfigError", said)
                return values.get(reference["key"], "")
        return ""

    def _values(self, reference: Object, kind: str) -> dict[str, str]:
        values = self._place.values(reference, kind)
        if values is None and not reference.get("optional"):
            raise Waiting("CreateContainerConfigError", f'{kind.lower()} "{reference["name"]}" not found')
        return values or {}

    def _localized(self, text: str) -> str:
        """The pod's own address for the wildcard, and its folders for the paths they are mounted at."""
        text = text.replace("0.0.0.0", self._place.address)  # noqa: S104 (a text that is looked for)
        for mount in self._spec.get("volumeMounts") or ():
            text = re.sub(
                rf"(?<![\w/]){re.escape(mount['mountPath'])}(?![\w-])",
                lambda _, name=mount["name"]: str(self._place.volume(name)),  # type: ignore[misc]
                text,
            )
        return text

    def _ports(self) -> dict[str, int]:
        return {one["name"]: one["containerPort"] for one in self._spec.get("ports") or () if "name" in one}

    def _log_file(self, restart: int) -> Path:
        return self._place.folder / f"{self.name}-{restart}.log"

    def _signal(self, number: int) -> None:
        if self._process is not None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return


def _expanded(text: str, env: dict[str, str]) -> str:
    """``$(NAME)`` is a variable that was defined before; an unknown one stays as it is."""
    return _VARIABLE.sub(lambda found: env.get(found[1], found[0]), text)
