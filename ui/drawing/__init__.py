"""A drawing as SVG in the page's own colours: `currentColor` is its ink, in the light and in the dark."""

from __future__ import annotations

import streamlit as st

# Streamlit's own st.html takes drawings for a danger and leaves them out; an image would not know the page's colours.
_drawing = st.components.v2.component(
    "drawing",
    css=".drawing { color: var(--st-text-color, #222); font-family: var(--st-font, sans-serif); overflow-x: auto; }",
    js="""export default ({ parentElement, data }) => {
      const root = parentElement.querySelector(".drawing") ?? document.createElement("div");
      root.className = "drawing";
      if (root.drawn !== data) root.innerHTML = data; // what innerHTML gives back is written in another way
      root.drawn = data;
      parentElement.append(root);
    };
""",
)


def drawing(svg: str, *, key: str) -> None:
    """Show an SVG element of our own making; what comes from outside must have been escaped in it."""
    _drawing(key=key, data=svg)
