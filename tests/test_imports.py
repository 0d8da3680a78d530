"""Imports go one way, and every library that is imported stands in the requirements."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
FOLDERS = ("vae_core", "ui", "pages", "benchmarks", "tests")

# Which of our own rooms a room may import from; the longest name that fits a module is its room.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "vae_core": (),
    "vae_core.errors": (),
    "vae_core.folders": (),
    "vae_core.losses": ("vae_core.errors",),
    "vae_core.objective": (),
    "vae_core.imaging": ("vae_core.errors",),
    "vae_core.audio": ("vae_core.audio", "vae_core.errors"),
    "vae_core.detectors": (
        "vae_core.data", "vae_core.latent", "vae_core.models", "vae_core.training", "vae_core.errors",
    ),
    "vae_core.bending": ("vae_core.exact", "vae_core.models"),
    "vae_core.exact": ("vae_core.exact", "vae_core.losses", "vae_core.errors"),
    "vae_core.strict_json": ("vae_core.errors",),
    "vae_core.data": ("vae_core.data", "vae_core.audio", "vae_core.errors", "vae_core.folders", "vae_core.strict_json"),
    "vae_core.models": (
        "vae_core.models", "vae_core.losses", "vae_core.objective", "vae_core.imaging", "vae_core.errors",
    ),
    "vae_core.training": ("vae_core.training", "vae_core.objective", "vae_core.errors"),
    "vae_core.metrics": (
        "vae_core.metrics", "vae_core.exact", "vae_core.audio", "vae_core.latent", "vae_core.losses", "vae_core.errors",
    ),
    "vae_core.latent": ("vae_core.latent", "vae_core.errors", "vae_core.folders"),
    "vae_core.checkpoints": ("vae_core.models", "vae_core.errors", "vae_core.folders", "vae_core.strict_json"),
    "vae_core.recipes": (
        "vae_core.recipes", "vae_core.checkpoints", "vae_core.models", "vae_core.training", "vae_core.errors",
    ),
    "vae_core.runs": (
        "vae_core.runs", "vae_core.recipes", "vae_core.checkpoints", "vae_core.metrics", "vae_core.training",
        "vae_core.latent", "vae_core.models", "vae_core.data", "vae_core.objective", "vae_core.errors",
        "vae_core.folders", "vae_core.strict_json",
    ),
    "vae_core.__main__": ("vae_core",),
    "ui": ("ui", "vae_core"),
    "pages": ("ui", "vae_core"),
    "app": ("ui", "vae_core"),
    "benchmarks": ("benchmarks", "ui", "vae_core", "tests"),
    "tests": ("tests", "benchmarks", "pages", "ui", "vae_core", "app"),
}  # fmt: skip
NO_APP = {"streamlit"}
FORBIDDEN_LIBRARIES = {"vae_core": {"streamlit", "plotly"}, "ui.figures": NO_APP, "ui.palette": NO_APP}
DISTRIBUTIONS = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn", "umap": "umap-learn"}


def module_name(path: Path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    module_name(path): path
    for path in [*PROJECT.glob("*.py"), *(path for folder in FOLDERS for path in (PROJECT / folder).rglob("*.py"))]
}
OURS = {name.partition(".")[0] for name in FILES}


def imports(name: str) -> set[str]:
    """Every module that a module imports, wherever in its text, by its full name."""
    found: set[str] = set()
    path = FILES[name]
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            outer = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*outer, *([node.module] if node.module else [])])
            members = {f"{base}.{alias.name}" for alias in node.names}
            modules = {member for member in members if member in FILES}
            found |= modules | ({base} if modules != members else set())
    return found


def room_of(module: str) -> str | None:
    parts = module.split(".")
    candidates = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((candidate for candidate in candidates if candidate in MAY_IMPORT), None)


def within(module: str, room: str) -> bool:
    return module == room or module.startswith(room + ".")


def requirements(file: str) -> set[str]:
    lines = (line.partition("#")[0].strip() for line in (PROJECT / file).read_text().splitlines())
    return {re.split(r"[\[<>=!~; ]", line)[0].lower() for line in lines if line}


def libraries(name: str) -> set[str]:
    """The distributions that a module imports from outside."""
    tops = {module.partition(".")[0] for module in imports(name)} - OURS - sys.stdlib_module_names
    return {DISTRIBUTIONS.get(top, top) for top in tops}


@pytest.mark.parametrize("name", FILES)
def test_imports_go_one_way(name: str) -> None:
    room = room_of(name)
    assert room is not None, f"{name} stands in no room; give it a line in MAY_IMPORT"
    ours = {module for module in imports(name) if module.partition(".")[0] in OURS}
    stray = {module for module in ours if not any(within(module, allowed) for allowed in MAY_IMPORT[room])}
    assert not stray, f"{name} ({room}) may import {MAY_IMPORT[room]}"


@pytest.mark.parametrize("name", FILES)
def test_libraries_stay_where_they_belong(name: str) -> None:
    for room, forbidden in FORBIDDEN_LIBRARIES.items():
        if within(name, room):
            assert not libraries(name) & forbidden
    allowed = requirements("requirements.txt")
    if name.partition(".")[0] in ("tests", "benchmarks"):
        allowed |= requirements("requirements-dev.txt")
    if name.partition(".")[0] == "benchmarks":
        allowed |= requirements("benchmarks/requirements.txt")
    assert libraries(name) <= allowed, "every library stands in the requirements"


def test_every_requirement_is_imported() -> None:
    app = [name for name in FILES if name.partition(".")[0] not in ("tests", "benchmarks")]
    used = {library for name in app for library in libraries(name)}
    assert used == requirements("requirements.txt")


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt", "benchmarks/requirements.txt"])
def test_every_requirement_has_both_bounds(file: str) -> None:
    lines = [line.partition("#")[0].strip() for line in (PROJECT / file).read_text().splitlines()]
    assert all(re.fullmatch(r"[\w-]+>=[\d.]+,<[\d.]+", line) for line in lines if line), lines


def test_these_tests_see_what_they_look_for() -> None:
    assert len(FILES) > 40 and {"app", "pages", "ui", "vae_core"} <= OURS
    assert {"vae_core.models", "vae_core.errors", "torch", "platform"} <= imports("vae_core.checkpoints")
    assert libraries("vae_core.latent.projections") >= {"umap-learn", "scikit-learn", "numpy"}


def test_the_core_runs_without_the_app() -> None:
    """Not even by way of a library: the core in a fresh process has not loaded Streamlit or Plotly."""
    modules = sorted(name for name in FILES if within(name, "vae_core"))
    program = f"import sys, {', '.join(modules)}; print(sorted({{'streamlit', 'plotly', 'ui'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
