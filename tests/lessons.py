"""What the tests of lesson pages share: a page run without a browser, and what stands on it."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from vae_core.folders import PROJECT


def opened(name: str, **link: str) -> AppTest:
    """A page by the name of its file, run alone, with what a link asks for."""
    page = AppTest.from_file(str(PROJECT / "pages" / f"{name}.py"), default_timeout=120)
    for key, value in link.items():
        page.query_params[key] = value
    return page.run()


def text(page: AppTest) -> str:
    """Everything that is said in sentences."""
    return " ".join(element.value for element in [*page.markdown, *page.caption])


def rows(page: AppTest) -> str:
    """The HTML of rows of pictures, tables and the like."""
    return " ".join(element.proto.body for element in page.get("html"))
