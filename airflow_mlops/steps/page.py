"""A small HTML page for people: a title, sentences and tables. No scripts, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #d0d7de;padding:.3rem .7rem;"
    "text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#f6f8fa}"
    "pre{background:#f6f8fa;padding:.7rem;overflow:auto;font-size:13px}"
)


def page(title: str, *parts: str) -> bytes:
    """A whole page of parts made by ``sentences``, ``table`` and ``preformatted``."""
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style><body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>"
    ).encode()


def sentences(*texts: str) -> str:
    """One paragraph per text."""
    return "".join(f"<p>{escape(text)}</p>" for text in texts)


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table under a heading; nothing where there are no rows."""
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<h2>{escape(title)}</h2><table><tr>{head}</tr>{body}</table>"


def preformatted(title: str, text: str) -> str:
    """Lines as they are, under a heading; nothing where there are none."""
    return f"<h2>{escape(title)}</h2><pre>{escape(text)}</pre>" if text.strip() else ""
