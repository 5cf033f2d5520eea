"""What every notebook has in common. That they run is tested by nbval (`make test`)."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from ctxaudio.cli import command_parser
from ctxaudio.course import teaching
from ctxaudio.course.teaching import assigned_names, notebook_run, unknown_parameters

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
COMMON = ["context", "data_dir", "output_dir", "sample_rate", "duration", "latent_dim", "seed", "interactive"]
TAGS = {"parameters", "nbval-check-output", "nbval-ignore-output"}
UNIT_TAGS = {"predict", "exercise", "check", "solution", "claim"}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> Any:
    return nbformat.read(request.param, as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_eight_of_them():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{number:02}" for number in range(1, 9)]


def test_it_is_valid_and_runs_on_the_plain_python_kernel(notebook):
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info.name == "python"
    assert "papermill" not in notebook.metadata and "widgets" not in notebook.metadata


def test_its_links_lead_somewhere(notebook):
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    local = [link for link in re.findall(r"\]\(([^)#]+)", prose) if "://" not in link and not link.startswith("mailto")]
    assert local and [link for link in local if not (FOLDER / link).exists()] == []


def test_its_links_elsewhere_are_well_formed(notebook):
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for link in re.findall(r"\]\(([^)\s]+://[^)\s]+)\)", prose):
        assert re.fullmatch(r"https://[\w.-]+\.[a-z]+(/[^\s<>\"]*)?", link), link
        if "doi.org" in link:
            assert re.fullmatch(r"https://doi\.org/10\.\d{4,9}/[\w.;()/:-]+", link), link
        if "arxiv.org" in link:
            assert re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{4,5}", link), link


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_knows_each_of_its_parameters(path):
    cells = nbformat.read(path, as_version=4).cells
    (cell,) = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assert list(papermill.inspect_notebook(str(path))) == assigned_names(cell.source)


def test_its_parameters_are_one_typed_line_each_with_help(notebook):
    (cell,) = [cell for cell in code(notebook) if "parameters" in cell.metadata.get("tags", [])]
    assert cell is code(notebook)[0]
    lines = [line for line in cell.source.splitlines() if not line.startswith("# ")]
    assert [line for line in lines if not re.fullmatch(r"\w+: [\w| ]+ = [^=]+?  # \S.*", line)] == []
    assert assigned_names(cell.source)[: len(COMMON)] == COMMON


def test_its_parameters_have_the_names_and_defaults_of_the_command_line(notebook):
    (cell,) = [cell for cell in code(notebook) if "parameters" in cell.metadata.get("tags", [])]
    given = {}
    exec(cell.source, given)
    # what the model knows generate takes from it, so its defaults are none
    known = vars(command_parser("generate").parse(["--model_path", "m"])) | vars(command_parser("train").parse([]))
    differing = {"output_dir", "max_minutes", "interactive", "sample_interval"}
    for name in assigned_names(cell.source):
        assert name in known or name == "interactive"
        if name not in differing:
            assert type(known[name])(given[name]) == known[name], name


def test_its_cells_are_short_and_free_of_what_breaks_headless_runs(notebook):
    for cell in code(notebook):
        assert len(cell.source.splitlines()) <= 25, cell.source
        assert set(cell.metadata.get("tags", [])) <= TAGS | UNIT_TAGS
        assert not re.search(r"\binteract\b|interactive_output|\bOutput\(|^[!%]pip|^!", cell.source, re.MULTILINE)
        assert not cell.source.rstrip().endswith(";")
        ast.parse("\n".join(line for line in cell.source.splitlines() if not line.startswith("%")))


def test_its_stored_outputs_are_small_and_hold_no_error_and_no_large_audio(notebook):
    text = nbformat.writes(notebook)
    assert len(text) < 1_500_000
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert "data:audio/wav" not in text


def test_a_reader_on_a_code_host_sees_figures(notebook):
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2


def test_an_unknown_papermill_parameter_is_found():
    cells = ["", "context: str = 'sleep'  # help\nseed: int = 0  # help", "# Parameters\ncontext = 'focus'\nsede = 1"]
    assert unknown_parameters(cells) == ["sede"]
    assert unknown_parameters(cells[:2]) == []
    assert unknown_parameters(["", "# Parameters to change\ncontext: str = 'sleep'  # help"]) == []


def test_no_parameter_of_a_notebook_is_unknown(notebook):
    sources = [cell.source for cell in code(notebook)]
    injected = "# Parameters\n" + "\n".join(f"{name} = 1" for name in assigned_names(sources[0]))
    assert unknown_parameters(["", sources[0], injected, *sources[1:]]) == []


def parameters(**changed):
    return {"context": "sleep", "data_dir": "./data", "output_dir": "", "seed": 0} | changed


@pytest.mark.parametrize("folder", ["notebooks", "my_notebooks"])
def test_a_notebook_looks_where_the_course_writes(folder, tmp_path, monkeypatch):
    (tmp_path / folder).mkdir()
    monkeypatch.setattr(teaching, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path / folder)
    assert notebook_run([], **parameters()).output_dir == Path("runs/sleep")
    assert Path.cwd() == tmp_path / folder, "a test leaves the runs of the repository alone"
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    assert notebook_run([], **parameters()).output_dir == Path("runs/sleep")
    assert Path.cwd() == tmp_path
    assert "OUT ?= runs/$(CONTEXT)" in (FOLDER.parent / "Makefile").read_text()


def test_a_notebook_anywhere_else_stays_there(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    monkeypatch.chdir(tmp_path)
    run = notebook_run([], **parameters(output_dir=str(tmp_path / "mine")))
    assert (run.output_dir, Path.cwd()) == (tmp_path / "mine", tmp_path)
