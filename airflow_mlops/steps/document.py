"""A document that is read as HTML and as Markdown: sections of sentences and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from airflow_mlops.core import markdown
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
            parts.append(f"<h2>{escape(section.title)}</h2>{sentences(*section.sentences)}")
    return page(title, *parts)


def as_markdown(title: str, sections: Sequence[Section]) -> str:
    """GitHub's Markdown, which MLflow shows too; text from outside cannot make markup of its own."""
    lines = [f"# {markdown.plain(title)}"]
    for section in _said(sections):
        lines += ["", f"## {markdown.plain(section.title)}", ""]
        if section.rows:
            lines.append(markdown.table(section.header, section.rows))
            lines += [""] if section.sentences else []
        lines += [f"- {markdown.plain(text)}" for text in section.sentences]
    return "\n".join(lines) + "\n"


def _said(sections: Sequence[Section]) -> list[Section]:
    return [section for section in sections if section.sentences or section.rows]
