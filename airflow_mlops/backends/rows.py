"""Rows of a frame: a sample, the numbers of their groups, whether a column holds times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def drawn(frame: pd.DataFrame, most: int, seed: int = 0) -> pd.DataFrame:
    """At most so many rows, drawn at random and the same on every run, in the order of the frame."""
    if len(frame) <= most:
        return frame
    return frame.sample(most, random_state=seed).sort_index()


def group_numbers(groups: pd.Series) -> Any:
    """A number a group, from 0; a row without one gets a number of its own."""
    import numpy as np
    import pandas as pd

    codes, names = pd.factorize(groups)
    alone = codes < 0
    codes[alone] = len(names) + np.arange(int(alone.sum()))
    return codes


def is_time(column: pd.Series) -> bool:
    """Whether the values are moments with a zone, as a snapshot keeps them."""
    import pandas as pd

    return isinstance(column.dtype, pd.DatetimeTZDtype)
