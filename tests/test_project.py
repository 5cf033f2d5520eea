"""The project keeps to its own rules: floors, dependencies named alike in three files, and no machine's paths."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ctxaudio"

#: From the ground up; a module imports only from floors below its own, or from its own floor.
FLOORS = (
    ("errors",),
    ("contexts", "files", "options", "workers"),
    ("signal",),
    ("modulation",),
    ("data",),
    ("model", "provenance"),
    ("render",),
    ("plots",),
    ("evaluation",),
    ("training", "widgets"),
    ("pipeline",),
    ("course",),
    ("fetch",),
    ("cli",),
)
HEIGHT = {name: height for height, names in enumerate(FLOORS) for name in names}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem[:2] != "__")


def test_few_modules_lie_loose_at_the_top():
    assert len([path for path in MODULES if path.parent == PACKAGE]) <= 8


def floor_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_from_package(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ctxaudio":
            parts = (node.module or "").split(".")
            names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names} - {"__version__"}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_downwards(path: Path):
    height = HEIGHT[floor_of(path)]
    above = {name for name in imported_from_package(path) if HEIGHT[name] > height}
    assert above == set()


def test_only_the_command_line_knows_of_fetching():
    """Fetching is a wing of its own: nobody else imports it, in whichever way."""
    outside = [path for path in PACKAGE.rglob("*.py") if floor_of(path) not in ("cli", "fetch")]
    pattern = re.compile(r"ctxaudio\.fetch|from ctxaudio import .*\bfetch\b|from \.+ ?fetch|import_module\(.*fetch")
    assert [str(path) for path in outside if pattern.search(path.read_text(encoding="utf-8"))] == []
    assert any("ctxaudio.fetch." in path.read_text(encoding="utf-8") for path in (PACKAGE / "cli").glob("*.py"))


def test_no_module_of_a_floor_goes_round_in_a_circle():
    imports = {}
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = {node.module for node in tree.body if isinstance(node, ast.ImportFrom) and node.module}
        imports["ctxaudio." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)] = modules
    waiting = dict(imports)
    while waiting:
        ready = {name for name, needs in waiting.items() if not needs & waiting.keys()}
        assert ready, f"a circle among {sorted(waiting)}"
        waiting = {name: needs for name, needs in waiting.items() if name not in ready}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_short_enough_to_read(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def ranges_of_pyproject() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *extras["notebooks"], *extras["test"]]
    return {canonicalize_name(Requirement(text).name): Requirement(text) for text in listed}


def test_the_conda_file_has_the_packages_and_ranges_of_pyproject():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    texts = [entry for entry in [*listed, *pip] if isinstance(entry, str)]
    conda = {canonicalize_name(Requirement(t).name): Requirement(t) for t in texts if t not in ("pip", "-e .")}
    python = conda.pop("python")
    assert python.specifier == Requirement("python>=3.11").specifier
    assert {name: r.specifier for name, r in conda.items()} == {
        n: r.specifier for n, r in ranges_of_pyproject().items()
    }


def test_the_constraints_pin_a_version_in_range_of_every_package():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pinned = {canonicalize_name(name): Version(version) for name, version in pins.items()}
    for name, requirement in ranges_of_pyproject().items():
        assert requirement.specifier.contains(pinned[name]), name


def test_the_readme_gives_a_reason_for_every_dependency():
    readme = (ROOT / "README.md").read_text()
    for name, requirement in ranges_of_pyproject().items():
        assert re.search(rf"^\| `{re.escape(requirement.name)}` \| \S.+\|$", readme, re.MULTILINE), name


def test_every_make_target_is_thin_and_explained():
    makefile = (ROOT / "Makefile").read_text()
    explained = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    recipes = re.findall(r"^(\w+):.*\n((?:\t.+\n)+)", makefile, re.MULTILINE)
    assert {"course", "test", "lab"} <= {name for name, _ in recipes}
    for name, recipe in recipes:
        assert recipe.count("\n") <= 2, name
        assert re.search(rf"make {name}\b", explained), name


def test_ci_runs_the_readmes_test_command():
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("make test")


def test_no_file_names_a_path_of_one_machine():
    texts = [*PACKAGE.rglob("*.py"), *(ROOT / "notebooks").glob("*.ipynb"), *ROOT.glob("*.md"), ROOT / "Makefile"]
    found = [path.name for path in texts if re.search(r"/(work|root|home|tmp)/", path.read_text(encoding="utf-8"))]
    assert found == []
