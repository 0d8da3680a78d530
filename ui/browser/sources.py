"""Put a component together: its JavaScript and CSS files, joined into one inline module each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

HERE = Path(__file__).parent


class Sources(TypedDict):
    js: str
    css: str


def source(*names: str, folder: Path = HERE) -> str:
    """The text of several source files of `folder`, joined in order (there is no build step)."""
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


LIBRARY_JS = source("decoder.js", "store.js")
"""Plain functions: parsePack, makeDecoder, paintPixels, awaitPack, thumbnailAtlas, paintThumbnail."""


def bundle(folder: Path, *names: str, shared: Sequence[str] = (), decoder: bool = False) -> Sources:
    """The `js` and `css` arguments of a component made of `folder/<name>.js` and `folder/<name>.css`.

    The files are joined into one module, so they neither import nor export; only the last has the default
    export. What all views share comes first, with what this one takes of the `shared` drawing of planes and panels;
    with `decoder` the in-browser decoder and its weights' store, too.
    """
    library = [LIBRARY_JS, source("weights.js")] if decoder else []
    common = source("common.js", *(f"{name}.js" for name in shared))
    scripts = [*library, common, source(*(f"{name}.js" for name in names), folder=folder)]
    styles = [f"{name}.css" for name in names if (folder / f"{name}.css").exists()]
    return {"js": "\n".join(scripts), "css": "\n".join([source("common.css"), source(*styles, folder=folder)])}
