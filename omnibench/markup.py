"""HTML as a tree of elements, whose texts are escaped when it is written out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from xml.etree.ElementTree import Element, tostring


def element(tag: str, *content: Element | str | None, **attributes: str | float | None) -> Element:
    """Return an element.

    Args:
        tag: Its name.
        *content: Elements and texts in order; None is left out.
        **attributes: Their names with ``_`` for ``-``, one at the end being left out (``class_``); None is left out.
    """
    markup_attributes = {
        name.rstrip("_").replace("_", "-"): clean(value) for name, value in attributes.items() if value is not None
    }
    built = Element(tag, markup_attributes)
    last_child: Element | None = None
    for child in content:
        if isinstance(child, str):
            if last_child is None:
                built.text = (built.text or "") + clean(child)
            else:
                last_child.tail = (last_child.tail or "") + clean(child)
        elif child is not None:
            built.append(child)
            last_child = child
    return built


def clean(value: str | float) -> str:
    """Return a value as text without control characters, and without those that turn the direction of what follows."""
    text = value if isinstance(value, str) else f"{value:.10g}"
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_control(letter) else letter for letter in text)


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter).startswith("C") and letter != "\n"


def breakable(name: str) -> list[Element | str]:
    """Return a name with a break opportunity wherever it has one; see ``words``."""
    first, *rest = words(name)
    return [first, *(part for text in rest for part in (element("wbr"), text))]


def words(name: str) -> list[str]:
    """Return the parts of a name between which a line may end: behind commas, brackets and most dots, and before an @."""
    return [part for part in re.split(r"(?<=[,(\[\]|/ ])|(?<=\.)(?=\D)|(?=@)", name) if part] or [""]


def written(page: Element) -> str:
    """Return an element as HTML; what stands in script and style is not escaped, and never comes from outside."""
    return tostring(page, encoding="unicode", method="html")


def heading_and_list(heading: str, entries: Sequence[str]) -> str:
    """Return a heading and a list below it as HTML for a notebook.

    Args:
        heading: The heading.
        entries: The list's entries.
    """
    listing = (
        element("ul", *(element("li", entry) for entry in entries), style="margin: 0.2em 0 0.6em") if entries else None
    )
    return written(element("div", element("b", heading), listing))


def one_line(text: str) -> str:
    """Return a text without control characters and line ends, for a line of a terminal or of a document."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()
