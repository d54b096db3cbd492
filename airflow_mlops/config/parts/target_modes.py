"""What a serving target can do with a challenger before it is promoted."""

from __future__ import annotations

from typing import Literal

TargetMode = Literal["shadow", "canary", "blue_green", "sticky"]
"""``canary``: any share of the rows, all of them included; ``blue_green``: all of them or none; ``sticky``:
each key is held to one version for as long as the share stays."""
