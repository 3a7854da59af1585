"""Pages that the site gets while it is built: the Python reference, from what omnibench offers, and the changelog."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

TITLES = {
    "comparison": "Comparing results",
    "data": "Data",
    "engine": "Running",
    "errors": "Errors",
    "experiment": "Algorithms, plans and evaluators",
    "gate": "The gate",
    "metrics": "Metrics",
    "plugin": "Declaring benchmarks",
    "report": "Reports",
    "runners": "Frameworks",
    "seed": "Random state",
    "statistics": "Tests of significance",
    "store": "The store",
}
"""What the pages of the rooms are called; a room that is missing here goes by its own name."""


def rooms() -> dict[str, dict[str, str]]:
    """Return the public names of each room, with the module that each one is defined in."""
    import omnibench

    names_by_room: dict[str, dict[str, str]] = {}
    for home, names in vars(omnibench)["_HOMES"].items():
        names_by_room.setdefault(home.partition(".")[0], {}).update(dict.fromkeys(names, f"omnibench.{home}"))
    return dict(sorted(names_by_room.items(), key=lambda room: title(room[0])))


def title(room: str) -> str:
    """Return what the page of a room is called."""
    return TITLES.get(room, room.capitalize())


def pages() -> dict[str, str]:
    """Return the text of each page of the reference by its path."""
    texts = {}
    index = ["# Python reference\n", "Everything that `from omnibench import ...` offers.\n"]
    for room, names in rooms().items():
        texts[f"reference/{room}.md"] = f"# {title(room)}\n\n" + "\n".join(
            f"[](){{#omnibench.{name}}}\n\n::: {module}.{name}\n" for name, module in sorted(names.items())
        )
        links = ", ".join(f"[`{name}`]({room}.md#omnibench.{name})" for name in sorted(names))
        index.append(f"**[{title(room)}]({room}.md)**: {links}\n")
    return {"reference/index.md": "\n".join(index), **texts}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the reference into the navigation."""
    entries: list[Any] = ["reference/index.md", *({title(room): f"reference/{room}.md"} for room in rooms())]
    section = next(part["Looking it up"] for part in config.nav or [] if "Looking it up" in part)
    section.insert(1, {"Python reference": entries})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    changelog = (Path(config.config_file_path).parent / "CHANGELOG.md").read_text(encoding="utf-8")
    for path, text in {**pages(), "changelog.md": changelog}.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001 - mkdocs calls it by name
    """Refuse a page that a browser would complete from elsewhere: the site is read without a network."""
    foreign = re.findall(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="?(https?://[^">\s]+)', output)
    if foreign:
        raise PluginError(f"{page.file.src_uri} loads {foreign[0]}; keep it in docs/ instead.")
    return output
