"""A text that follows from a policy: sections of lines, each with the keys it follows from; as Markdown or HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Language = Literal["lv", "en", "de"]
Markup = Literal["markdown", "html"]

_TEMPLATES: Final = {"markdown": "document.md.j2", "html": "document.html.j2"}
_MARKDOWN: Final = re.compile(r"[\\`*_\[\]<>|~&$]|(?:^[-+#=]|(?<=^[0-9])[.)]|(?<=^[0-9]{2})[.)])")
"""What CommonMark and GitHub's dialect would act on: anywhere in a text, or only at its start."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line.

    Attributes:
        text: What it says; plain text.
        cites: The keys of the policy that it follows from.
        gap: It says that the policy lacks something.
    """

    text: str
    cites: tuple[str, ...]
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its lines."""

    heading: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A text in one language.

    Attributes:
        language: The language it is in.
        title: What it is.
        draft: That it is a draft and no legal advice, and of which policy.
        cites: The word before the keys that a line cites.
        sections: Its sections, in order.
    """

    language: Language
    title: str
    draft: str
    cites: str
    sections: tuple[Section, ...]


def render(document: Document, markup: Markup) -> str:
    """Return the document as Markdown (CommonMark) or as a page of HTML; what a policy says is escaped in both."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("logblur.privacy", "texts"),
        autoescape=select_autoescape(["html.j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters["escaped"] = lambda text: _MARKDOWN.sub(r"\\\g<0>", text)
    template = environment.get_template(_TEMPLATES[markup])
    return template.render(
        language=document.language,
        title=document.title,
        draft=document.draft,
        cites=document.cites,
        sections=document.sections,
    )
