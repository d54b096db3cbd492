"""Requests under way all the time, from a process of its own, and what became of each."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from multiprocessing.connection import Connection
from typing import Any

import httpx

ROWS_A_REQUEST = 10
PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: when it was sent and answered, its keys, and the status code (None: no answer at all)."""

    sent: float
    ended: float
    keys: tuple[str, ...]
    code: int | None
    versions: frozenset[str] = frozenset()


class Users:
    """People who ask without a pause. ``asked`` is there once they have stopped."""

    def __init__(self, url: str, name: str) -> None:
        here, there = multiprocessing.Pipe()
        self._stop = here
        self._process = multiprocessing.get_context("fork").Process(target=_ask, args=(url, name, there))
        self._process.start()

    def stop(self) -> list[Asked]:
        self._stop.send(None)
        asked: list[Asked] = self._stop.recv()
        self._process.join(timeout=10)
        return asked


def _ask(url: str, name: str, stop: Connection) -> None:
    asked: list[Asked] = []
    client = httpx.Client(base_url=url, timeout=30, trust_env=False)
    turn = 0
    while not stop.poll(PAUSE_SECONDS):
        turn += 1
        rows = [row(turn, number, name) for number in range(ROWS_A_REQUEST)]
        asked.append(_one(client, rows))
    stop.send(asked)


def row(turn: int, number: int, name: str = "row") -> dict[str, Any]:
    """A row with a key of its own."""
    now = datetime.now(timezone.utc).isoformat()
    return {
        "id": f"{name}-{turn}-{number}",
        "at": now,
        "age": number / ROWS_A_REQUEST,
        "spend": (turn % 7) / 7,
    }


def _one(client: httpx.Client, rows: list[dict[str, Any]]) -> Asked:
    keys, sent = tuple(one["id"] for one in rows), time.time()
    try:
        answer = client.post("/predict", json={"rows": rows})
    except httpx.HTTPError:
        return Asked(sent, time.time(), keys, None)
    if answer.status_code != 200:
        return Asked(sent, time.time(), keys, answer.status_code)
    versions = frozenset(one["version"] for one in answer.json()["predictions"])
    return Asked(sent, time.time(), keys, 200, versions)
