"""Arrow columns as plain numbers and category codes, whatever types the files hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def numbers(column: Any) -> NDArray[np.float64]:
    """As float64; what is missing, or no number, is NaN. Infinities stay, and are taken for missing later."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        coerced = pd.to_numeric(pd.Series(column.to_pylist(), dtype=object), errors="coerce")
        found: NDArray[np.float64] = coerced.to_numpy(dtype=np.float64, na_value=np.nan)
        return found
    if column.type != pa.float64():
        column = column.cast(pa.float64(), safe=False)
    if isinstance(column, pa.ChunkedArray):
        values: NDArray[np.float64] = column.to_numpy()
    else:
        values = column.to_numpy(zero_copy_only=False)
    return values


def codes(column: Any) -> tuple[NDArray[np.int64], list[str]]:
    """Of each value its place in the list of categories, -1 where it is missing."""
    import numpy as np
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = column.unify_dictionaries().combine_chunks()
    if pa.types.is_null(column.type):
        return np.full(len(column), -1, dtype=np.int64), []
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    places = encoded.indices
    if places.null_count:
        places = places.fill_null(-1)
    names = [category(value) for value in encoded.dictionary.to_pylist()]
    found: NDArray[np.int64] = places.to_numpy(zero_copy_only=False)
    return found, names


def category(value: Any) -> str:
    """A category as text: ``7``, not ``7.0``, as the endpoint's log has it."""
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(value)
