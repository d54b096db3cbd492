"""Where in a Python file a model is written: the call, the DAG file it is made for, and each key's line."""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FrameType

from airflow_mlops.config.source import Place
from airflow_mlops.config.written import DAG_MODULE, Spot


@dataclass(frozen=True, slots=True)
class CallSite:
    """``file`` holds the call, from ``start`` to ``end``. ``dag_file`` is the file that Airflow is reading,
    which may have imported ``file``; the two are one in most cases, and outside of Airflow always."""

    file: str
    dag_file: Path
    start: Place
    end: Place | None

    def __str__(self) -> str:
        return f"{self.file}:{self.start[0]}"


def call_site(frame: FrameType) -> CallSite:
    """Where a frame stands at this moment."""
    file = frame.f_code.co_filename
    start: Place = (frame.f_lineno, 1)
    end: Place | None = None
    # One entry for each instruction of two bytes; a Python without debug ranges knows no columns.
    position = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), None)
    if position is not None and None not in position:
        line, end_line, column, end_column = (int(one or 0) for one in position)
        start, end = (line, column + 1), (end_line, end_column + 1)
    return CallSite(file, _dag_file(frame), start, end)


def spelled_out(site: CallSite) -> tuple[Spot, tuple[str, ...]]:
    """The places of the keys that are written inside the call, and the file's lines. Costs a parse of the
    file: only what is wrong with a model needs to be told where."""
    lines = tuple(line.rstrip("\n") for line in linecache.getlines(site.file))
    call = _find(site, "\n".join(lines))
    return (Spot(site.start) if call is None else _spot(call, lines)), lines


def _dag_file(frame: FrameType) -> Path:
    """Of the DAG file that leads to this frame; of the frame itself where none does."""
    at: FrameType | None = frame
    while at is not None:
        if str(at.f_globals.get("__name__", "")).startswith(DAG_MODULE):
            return Path(str(at.f_globals.get("__file__", at.f_code.co_filename))).absolute()
        at = at.f_back
    return Path(frame.f_code.co_filename).absolute()


def _find(site: CallSite, source: str) -> ast.Call | None:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None  # no longer the text that is running
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _span(node) == (site.start, site.end):
            return node
    return None


def _span(node: ast.expr) -> tuple[Place, Place]:
    """In the bytes that Python counts columns by, from 1."""
    return (node.lineno, node.col_offset + 1), (node.end_lineno or 0, (node.end_col_offset or 0) + 1)


def _spot(value: ast.expr, lines: tuple[str, ...]) -> Spot:
    keys: dict[str, Place] = {}
    children: dict[str | int, Spot] = {}
    written: list[tuple[object, ast.expr | ast.keyword, ast.expr]] = []
    match value:
        case ast.Call():
            written = [(one.arg, one, one.value) for one in value.keywords]
        case ast.Dict():
            pairs = zip(value.keys, value.values, strict=True)
            written = [(key.value, key, one) for key, one in pairs if isinstance(key, ast.Constant)]
        case ast.List() | ast.Tuple():
            for index, one in enumerate(value.elts):
                if isinstance(one, ast.Starred):
                    break  # from here on nobody can tell which entry is which
                children[index] = _spot(one, lines)
    for name, key, one in written:
        if isinstance(name, str):
            keys[name] = _place(key, lines)
            children[name] = _spot(one, lines)
    return Spot(_place(value, lines), keys, children)


def _place(node: ast.expr | ast.keyword, lines: tuple[str, ...]) -> Place:
    """In characters, as an editor counts."""
    line = lines[node.lineno - 1] if node.lineno <= len(lines) else ""
    return node.lineno, len(line.encode()[: node.col_offset].decode(errors="replace")) + 1
