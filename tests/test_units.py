"""The rules of a unit of the course: short, one idea, exercises with checks and solutions, nothing said untested.

A notebook joins by being listed in `UNITS`. That exercises, predictions and claims hold is tested by running it
(`make test`); here is what can be read off the file.
"""

from __future__ import annotations

import ast
import base64
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
UNITS = ("01", "02", "03", "04", "05", "06", "07", "08")
MOST_CELLS, MOST_WORDS, MOST_LINES = 40, 1600, 20
FEWEST_EXERCISES, FEWEST_PREDICTIONS, FEWEST_MISTAKES = 4, 4, 3
LARGEST_PLAYER_KB, LARGEST_NOTEBOOK_MB = 60, 1.4  # four seconds at 110 kbit/s
MOST_OPEN_PARAMETERS = 10
HIDDEN = {"check", "solution", "claim"}


@pytest.fixture(params=UNITS)
def cells(request: pytest.FixtureRequest) -> list[Any]:
    return list(nbformat.read(next(FOLDER.glob(f"{request.param}_*.ipynb")), as_version=4).cells)


def has_tag(cell: Any, *tags: str) -> bool:
    return bool(set(tags) & set(cell.metadata.get("tags", [])))


def prose(cells: list[Any]) -> str:
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def code(cells: list[Any]) -> str:
    return "\n".join(cell.source for cell in cells if cell.cell_type == "code")


def test_it_is_short(cells):
    assert len(cells) <= MOST_CELLS
    assert len(prose(cells).split()) <= MOST_WORDS
    for cell in cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= MOST_LINES, cell.source


def test_it_opens_with_goals_minutes_and_needs_and_ends_with_summary_cheat_sheet_and_score(cells):
    for word in ("**Goals**", "**Time**", "minutes", "**You need**", ".ipynb)"):
        assert word in cells[0].source, word
    text = prose(cells)
    assert text.index("## Summary") < text.index("**Further reading**") < text.index("## Cheat sheet")
    assert len(re.findall(r"\]\(https://", text[text.index("**Further reading**") :])) >= 2
    assert "lesson.score()" in cells[-1].source


def test_the_map_of_the_course_gives_the_minutes_of_each_notebook():
    course = (FOLDER / "README.md").read_text()
    for number in UNITS:
        (path,) = FOLDER.glob(f"{number}_*.ipynb")
        minutes = re.search(r"\*\*Time\*\* (\d+) minutes", nbformat.read(path, as_version=4).cells[0].source)[1]
        assert 30 <= int(minutes) <= 60
        assert re.search(rf"\({path.name}\) \|[^|]*\| {minutes} \|", course), path.name


def test_what_would_spoil_an_answer_or_fill_the_first_page_is_collapsed_and_nothing_else_is(cells):
    for cell in cells:
        hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        many = has_tag(cell, "parameters") and len(cell.source.splitlines()) > MOST_OPEN_PARAMETERS
        assert hidden == (has_tag(cell, *HIDDEN) or many), cell.source
        assert not hidden or cell.source.startswith("# "), "JupyterLab shows the first line of a collapsed cell"


def written(source: str) -> list[tuple[str, str]]:
    """Names and arguments of the functions and classes of a cell; for a class, those of its methods."""
    found = []
    for node in ast.parse(source).body:
        parts = node.body if isinstance(node, ast.ClassDef) else [node]
        found += [(node.name, "")] if isinstance(node, ast.ClassDef) else []
        found += [(part.name, ast.unparse(part.args)) for part in parts if isinstance(part, ast.FunctionDef)]
    return found


def test_an_exercise_has_two_hints_a_check_a_stub_and_a_solution_of_the_same_shape(cells):
    stubs = [i for i, cell in enumerate(cells) if has_tag(cell, "exercise")]
    assert len(stubs) >= FEWEST_EXERCISES
    for number, i in enumerate(stubs, 1):
        stub, solution = cells[i], cells[i + 1]
        first = i
        while has_tag(cells[first - 1], "check"):
            first -= 1
        assert first < i and f"exercise_{number} = lesson.exercise(" in code(cells[first:i])
        task = next(cell for cell in reversed(cells[:first]) if cell.cell_type == "markdown")
        assert f"## Exercise {number}" in task.source
        assert re.findall(r"<summary>(Hint \d)</summary>", task.source) == ["Hint 1", "Hint 2"]
        assert "..." in stub.source or "None" in stub.source
        assert f"exercise_{number}.check(" in stub.source and "solution(" not in stub.source
        assert has_tag(solution, "solution") and f"exercise_{number}.solution(" in solution.source
        assert written(stub.source) and written(stub.source) == written(solution.source)
        assert len(mistakes_of(code(cells[first:i])).keys) >= FEWEST_MISTAKES
        said = "".join(output.get("text", "") for output in stub.outputs)
        assert "not attempted yet" in said, "a solved stub is not for storing"


def called(source: str, name: str) -> list[ast.Call]:
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) == f"lesson.{name}"]


def mistakes_of(source: str) -> ast.Dict:
    """The typical mistakes of the one exercise in `source`, given in the call or by the name of a dictionary."""
    (call,) = called(source, "exercise")
    (given,) = [part.value for part in call.keywords if part.arg == "mistakes"] or call.args[2:3]
    if isinstance(given, ast.Name):
        assigned = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign)]
        (given,) = [node.value for node in assigned if ast.unparse(node.targets[0]) == given.id]
    assert isinstance(given, ast.Dict)
    return given


def test_every_prediction_is_revealed_later_from_a_computed_value(cells):
    questions: dict[str, int] = {}
    for i, cell in enumerate(cells):
        if cell.cell_type == "code":
            questions |= {ast.literal_eval(call.args[0]): i for call in called(cell.source, "predict")}
    assert len(questions) >= FEWEST_PREDICTIONS
    for key, asked in questions.items():
        later = [cell.source for cell in cells[asked + 1 :] if cell.cell_type == "code" and f'"{key}"' in cell.source]
        reveals = [call for source in later for call in called(source, "reveal")]
        assert reveals, f"{key} is never revealed"
        for call in reveals:
            assert any(isinstance(node, ast.Name) for node in ast.walk(call.args[1])), ast.unparse(call)


def test_stored_sounds_play_anywhere_and_are_small(cells):
    pages = [output.get("data", {}).get("text/html", "") for cell in cells for output in cell.get("outputs", [])]
    players = re.findall(r'src="data:(audio/[a-z]+);base64,([^"]+)"', "".join(pages))
    assert 2 <= len(players) <= 12
    for kind, data in players:
        held = base64.b64decode(data)
        assert kind == "audio/mpeg" and held[:1] in (b"\xff", b"I") and len(held) <= LARGEST_PLAYER_KB * 1000


def test_the_stored_notebook_is_small():
    for number in UNITS:
        (path,) = FOLDER.glob(f"{number}_*.ipynb")
        assert path.stat().st_size <= LARGEST_NOTEBOOK_MB * 1e6


NUMBER = re.compile(r"(?<![\w.,/-])-?\d[\d,]*(?:\.\d+)?(?![\w/]|\.\d)")
STRIPPED = (
    r"\$\$.*?\$\$",  # mathematics defines
    r"\$.*?\$",
    r"`[^`]*`",
    r"<code>.*?</code>",
    r'"[^"]*"',  # what somebody else says
    r"^#+ .*$",
    r"Hint \d|notebook \d+|\*\*Time\*\* \d+ minutes",
)


def loose_numbers(cells: list[Any], i: int) -> list[str]:
    """Numbers of the prose in cell `i` that have no source beside them and are not in the code next to it.

    A number is tested by a claim or rendered from a value, or is a setting of the code before or after. A paragraph,
    item or row of a table with a link has its source.
    """
    text = cells[i].source
    for pattern in STRIPPED:
        text = re.sub(pattern, " ", text, flags=re.DOTALL if pattern.startswith((r"\$\$", "<code")) else re.MULTILINE)
    blocks = [part for part in re.split(r"\n\s*\n|\n(?=[-|] ?)", text) if "](http" not in part]
    beside = neighbouring_code(cells, i)
    known = {abs(float(number.replace("_", ""))) for number in re.findall(r"\d[\d_]*(?:\.\d+)?", beside)}
    numbers = [number for part in blocks for number in NUMBER.findall(part)]
    return [number for number in numbers if not is_known(abs(float(number.replace(",", ""))), known)]


def is_known(number: float, known: set[float]) -> bool:
    return number in known or number / 100 in known


def neighbouring_code(cells: list[Any], i: int) -> str:
    """The code from the markdown before cell `i` to the markdown after it."""
    before, after = i - 1, i + 1
    while before >= 0 and cells[before].cell_type == "code":
        before -= 1
    while after < len(cells) and cells[after].cell_type == "code":
        after += 1
    return code(cells[before + 1 : after])


def test_no_number_in_prose_is_neither_computed_nor_sourced(cells):
    loose = {i: loose_numbers(cells, i) for i, cell in enumerate(cells) if cell.cell_type == "markdown"}
    assert {i: numbers for i, numbers in loose.items() if numbers} == {}


def markdown_and_code(text: str, source: str) -> list[Any]:
    return [nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell(source)]


@pytest.mark.parametrize(
    ("text", "source", "loose"),
    [
        ("A bin loses 16 % of it.", "print(share)", ["16"]),
        ("A bin loses 16 % of it.", 'lesson.claims({"16 %": abs(share - 0.16) < 0.01})', []),
        ("It has 40,966 clips.", "", ["40,966"]),
        ("It has 40,966 clips ([Fonseca](https://arxiv.org/abs/2010.00475)).", "", []),
        ("It has 40,966 clips.\n\nSee [Fonseca](https://arxiv.org/abs/2010.00475).", "", ["40,966"]),
        ("- a depth of 0.5\n- [source](https://a.org) says 0.7", "", ["0.5"]),
        ("Let $x = 0.5$ in `f(3)`, as in FSD50K and notebook 2; T/2 stays.", "", []),
        ("From 0.5 to -1.", "f(0.5, 1)", []),
    ],
)
def test_loose_numbers_are_found(text, source, loose):
    assert loose_numbers(markdown_and_code(text, source), 0) == loose
