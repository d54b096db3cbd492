"""A document that is read as HTML and as Markdown: sections of sentences and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_mlops.steps.page import page, sentences, table


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, sentences, and a table under it; a section with neither is left out."""

    title: str
    sentences: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()


def as_html(title: str, sections: Sequence[Section]) -> bytes:
    """A whole page."""
    parts = []
    for section in _said(sections):
        if section.rows:
            parts.append(table(section.title, section.header, section.rows) + sentences(*section.sentences))
        else:
            parts.append(f"<h2>{_escaped(section.title)}</h2>{sentences(*section.sentences)}")
    return page(title, *parts)


def as_markdown(title: str, sections: Sequence[Section]) -> str:
    """GitHub's Markdown, which MLflow shows too; text from outside cannot make markup of its own."""
    lines = [f"# {_plain(title)}"]
    for section in _said(sections):
        lines += ["", f"## {_plain(section.title)}", ""]
        if section.rows:
            lines += [_row(section.header), _row(["---"] * len(section.header), raw=True)]
            lines += [_row(row) for row in section.rows]
            lines += [""] if section.sentences else []
        lines += [f"- {_plain(text)}" for text in section.sentences]
    return "\n".join(lines) + "\n"


def _said(sections: Sequence[Section]) -> list[Section]:
    return [section for section in sections if section.sentences or section.rows]


def _row(cells: Sequence[object], *, raw: bool = False) -> str:
    return f"| {' | '.join(str(cell) if raw else _plain(str(cell)) for cell in cells)} |"


def _plain(text: str) -> str:
    """One line without markup: names of columns have underscores, and anybody may write a description."""
    for mark in "\\`*_[]<>#|":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def _escaped(text: str) -> str:
    from html import escape

    return escape(text)
