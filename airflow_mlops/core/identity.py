"""Names that stay the same on a retry: content hashes and keys."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text. Refuses NaN and infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_hash(value: Any) -> str:
    """sha256, in hex, of a JSON value's canonical text."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def sticky_share(key: str, salt: str) -> float:
    """Where a key falls, from 0 up to but not including 1, the same for ever.

    A row goes to the challenger if its share is below the weight, so that raising the weight never moves
    a row back to the champion.
    """
    digest = hashlib.blake2b(f"{salt}:{key}".encode(), digest_size=8).digest()
    # 53 bits are what a float holds; all 64 would round the last few keys up to 1.
    return (int.from_bytes(digest, "big") >> 11) / 2**53
