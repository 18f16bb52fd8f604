"""What is wrong with an HTML page, found with the standard library's parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

EMPTY = {"meta", "link", "br", "path", "use", "image", "rect"}


@dataclass(frozen=True)
class Element:
    """An opened tag."""

    tag: str
    attributes: dict[str, str]
    parents: tuple[str, ...]


@dataclass
class Document(HTMLParser):
    """A page as a list of elements, and the text of each kind of tag."""

    page: str
    elements: list[Element] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.opened: list[str] = []
        self.feed(self.page)
        self.problems += [f"{tag} is not closed" for tag in self.opened]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}, tuple(self.opened)))
        self.texts.setdefault(tag, []).append("")
        if tag not in EMPTY:
            self.opened.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}, tuple(self.opened)))

    def handle_endtag(self, tag: str) -> None:
        if tag in EMPTY:
            return
        if not self.opened or self.opened.pop() != tag:
            self.problems.append(f"{tag} is closed out of order")

    def handle_data(self, data: str) -> None:
        for tag in set(self.opened):
            self.texts[tag][-1] += data

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]


def problems(page: str) -> list[str]:
    """Return what keeps a page from being self-contained, well-formed and readable with a screen reader."""
    document = Document(page)
    found = [*document.problems]
    html = document.all("html")
    if not html or not html[0].attributes.get("lang"):
        found.append("no language")
    levels = [int(element.tag[1]) for element in document.elements if element.tag in ("h1", "h2", "h3", "h4", "h5", "h6")]
    if levels.count(1) != 1 or levels[0] != 1 or any(after > before + 1 for before, after in pairwise(levels)):
        found.append(f"headings {levels}")
    found += [f"{len(document.all(tag))} {tag}" for tag in ("main", "header", "nav", "footer", "title")
              if len([e for e in document.all(tag) if "svg" not in e.parents]) != 1]
    ids = [element.attributes["id"] for element in document.elements if "id" in element.attributes]
    found += [f"id {name} twice" for name in set(ids) if ids.count(name) > 1]
    for element in document.elements:
        for name, value in element.attributes.items():
            if name in ("href", "src", "xlink:href", "action", "srcset") and not (value.startswith("data:")
                                                                               or (value.startswith("#") and value[1:] in ids)):
                found.append(f"{element.tag} {name} leads to {value[:60]}")
            if name.startswith("on"):
                found.append(f"{element.tag} runs {name}")
        if element.tag in ("script", "iframe", "object", "embed", "base", "form"):
            found.append(f"a {element.tag} element")
        if element.tag == "th" and element.attributes.get("scope") not in ("row", "col"):
            found.append("a table header without scope")
        if element.tag == "table" and not _scrolls(document, element):
            found.append("a table outside a region that scrolls and takes the focus")
        if element.tag == "svg":
            named = element.attributes.get("aria-labelledby", "").split()
            if element.attributes.get("role") != "img" or len(named) != 2 or not set(named) <= set(ids):
                found.append("a picture without title and description")
    return found


def _scrolls(document: Document, table: Element) -> bool:
    before = document.elements[document.elements.index(table) - 1]
    wanted = {"tabindex": "0", "role": "region"}
    return before.tag == "div" and bool(before.attributes.get("aria-label")) and wanted.items() <= before.attributes.items()
