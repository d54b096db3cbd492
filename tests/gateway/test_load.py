"""Many callers at once while versions and weights change: nobody sees an error, no row is lost."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

CALLERS, REQUESTS = 6, 340


def test_no_request_fails_and_no_row_is_lost_while_traffic_changes(gateway: Any, shelf: Any) -> None:
    done = threading.Event()
    changes = 0

    def operator() -> None:
        nonlocal changes
        while not done.is_set():
            for step in (
                lambda: gateway.put("2", "shadow"),
                lambda: gateway.put("2", "canary", 0.1),
                lambda: gateway.put("2", "canary", 0.7),
                lambda: gateway.post("rollback", rollout_id="r2"),
                lambda: gateway.put("3", "canary", 0.5),
                lambda: gateway.post("promote", rollout_id="r3", version="3"),
                lambda: gateway.post("flush"),
            ):
                assert step().status_code == 200
                changes += 1
            # The alias takes the champion back to version 1, so that the next round is like this one.
            for shelf.champion in ("3", "1"):
                assert gateway.post("refresh").status_code == 200

    def caller(number: int) -> Counter[tuple[str, str, str]]:
        seen: Counter[tuple[str, str, str]] = Counter()
        pick = random.Random(number)
        with httpx.Client(base_url=gateway.url, timeout=20) as http:
            for request in range(REQUESTS):
                rows = [
                    {"temp": pick.random(), "carrier": "AA", "flight": f"{number}-{request}-{row}"}
                    for row in range(pick.choice((1, 1, 1, 7)))
                ]
                response = http.post("/predict", json={"rows": rows})
                assert response.status_code == 200, response.text
                answers = response.json()["predictions"]
                assert [row["key"] for row in answers] == [row["flight"] for row in rows]
                seen.update((row["key"], row["version"], row["role"]) for row in answers)
        return seen

    with ThreadPoolExecutor(CALLERS + 1) as pool:
        operating = pool.submit(operator)
        try:
            answered = sum(pool.map(caller, range(CALLERS)), Counter())
        finally:
            done.set()
        operating.result()
    assert changes >= 14
    log = gateway.logged()
    live = log[log["role"] != "shadow"]
    assert Counter(live[["key", "version", "role"]].itertuples(index=False, name=None)) == answered
    assert len({version for _, version, _ in answered}) == 3
    assert (log["role"] == "shadow").any()
    assert log["error"].isna().all()
