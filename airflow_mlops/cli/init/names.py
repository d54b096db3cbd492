"""Whether a name can be a model's and its Python package's."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.util import find_spec


def fault_of_name(name: str) -> str:
    """What is wrong with it, or nothing. A package of the same name that is installed would be hidden by
    the model's, or hide it: which one depends on the order of the import path.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
        return (
            f"{name!r} has the wrong form: use lower-case letters, digits and _, a letter first, at most 64"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return f"{name!r} is a word of Python's own; take another name"
    if name in sys.stdlib_module_names:
        return f"{name!r} is a module of Python's own, which plugins/{name} would hide; take another name"
    # A folder without __init__.py has no origin: it is no package that anybody installed.
    spec = find_spec(name)
    if spec is not None and spec.origin is not None:
        return f"{name!r} is a package that can be imported already ({spec.origin}); take another name"
    return ""
