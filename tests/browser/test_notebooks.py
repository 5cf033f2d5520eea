"""Every notebook as a reader has it: run to its end in JupyterLab with widgets, sliders turned, questions answered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from looking import durations, serious_faults

NOTEBOOKS = sorted(path.name for path in (Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
#: What is ours on a page of JupyterLab.
OURS = (".jp-OutputArea-output", ".jp-RenderedMarkdown")
RUN_ALL = """async () => {
  const app = window.jupyterapp
  const panel = app.shell.currentWidget
  await app.commands.execute('notebook:run-all-cells')
  const wrong = []
  panel.content.model.sharedModel.cells.forEach((shared, number) => {
    const cell = shared.toJSON()
    for (const output of cell.outputs || [])
      if (output.output_type === 'error') wrong.push(`cell ${number}: ${output.ename}: ${output.evalue}`)
    if (cell.cell_type === 'code' && cell.execution_count === null) wrong.push(`cell ${number} did not run`)
  })
  return wrong
}"""
READY = """async () => {
  await window.jupyterapp.restored
  const panel = window.jupyterapp.shell.currentWidget
  await panel.context.ready
  await panel.sessionContext.ready
}"""


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_to_its_end_and_its_widgets_do_what_they_say(name: str, lab: Any) -> None:
    page, stem = lab.page, name.removesuffix(".ipynb")
    lab.errors.clear()
    page.goto(f"{lab.url}/lab/tree/notebooks/{name}?reset")
    here = "path => window.jupyterapp?.shell?.currentWidget?.context?.path === path"
    page.wait_for_function(here, arg=f"notebooks/{name}", timeout=60_000)
    page.evaluate(READY)
    assert page.evaluate(RUN_ALL) == []
    page.wait_for_timeout(500)
    answer_questions(page)
    turn_sliders(lab, stem)
    unfold_solutions(page)
    if page.get_by_role("button", name="X is A").count():
        take_abx_test(lab)
    lengths = durations(page)
    assert lengths and min(lengths) > 0.0, lengths
    faults = serious_faults(page, *OURS)
    assert not faults, "\n".join(faults)
    assert ours(lab.errors) == []
    page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")


def answer_questions(page: Any) -> None:
    """Choose an answer to each question, and read the score."""
    questions = page.locator(".widget-radio-box")
    count = questions.count()
    assert count >= 3, "each notebook asks for predictions"
    for number in range(count):
        questions.nth(number).locator("input").first.check()
    score = page.get_by_text(re.compile(r"Predictions: \d+ right of \d+ answered"))
    score.wait_for()
    right, answered, asked = map(int, re.findall(r"\d+", score.inner_text())[:3])
    assert right <= answered == asked == count
    assert page.get_by_text("Choose an answer above").count() == 0, "a truth stays hidden"


def turn_sliders(lab: Any, stem: str) -> None:
    """Every slider changes its figure and its sound within moments."""
    page = lab.page
    boxes = page.locator(".widget-hbox").filter(has=page.locator(".noUi-handle")).filter(has=page.locator("audio"))
    for number in range(boxes.count()):
        box = boxes.nth(number)
        box.scroll_into_view_if_needed()
        lab.shot(f"{stem}_{number}")
        inside = box.bounding_box()
        assert inside and inside["height"] <= 900, "controls, figure and player are seen together"
        figure, sound = box.locator("img").first, box.locator("audio").first
        for handle in range(box.locator(".noUi-handle").count()):
            before = figure.get_attribute("src"), sound.get_attribute("src")
            box.locator(".noUi-handle").nth(handle).press("ArrowRight")
            page.wait_for_function(
                "([box, before]) => box.querySelector('img').src !== before[0] && "
                "box.querySelector('audio').src !== before[1]",
                arg=[box.element_handle(), before],
                timeout=10_000,
            )


def unfold_solutions(page: Any) -> None:
    hidden = page.locator(".jp-RenderedMarkdown details")
    assert hidden.count() >= 3, "hints and solutions are folded"
    for number in range(hidden.count()):
        part = hidden.nth(number)
        assert part.get_attribute("open") is None
        part.locator("summary").first.click()
        assert part.get_attribute("open") is not None


def take_abx_test(lab: Any) -> None:
    """With Tab and the space bar alone, to its result."""
    page = lab.page
    button = page.get_by_role("button", name="X is A")
    button.scroll_into_view_if_needed()
    lab.shot("abx")
    button.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "X is B", "one Tab from one answer to the other"
    for _ in range(200):
        if page.get_by_text("The result is shown after the last one").count() == 0:
            break
        said = page.get_by_text(re.compile(r"Trial \d+ of \d+")).inner_text()
        page.keyboard.press("Space")
        page.wait_for_function("said => !document.body.innerText.includes(said)", arg=said, timeout=10_000)
    assert page.get_by_text(re.compile(r"A was (modulated|sham), B was")).count() == 1
    lab.shot("abx_result")


def ours(errors: list[str]) -> list[str]:
    """Without what JupyterLab says of itself."""
    return [error for error in errors if not re.search(r"favicon|jupyter|/api/|/lab/|/static/", error)]
