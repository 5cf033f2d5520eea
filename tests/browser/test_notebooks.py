"""Every notebook as a reader has it: run to its end in JupyterLab with widgets, sliders turned, questions answered."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from looking import durations, playing_at_once, serious_faults

NOTEBOOKS = sorted(path.name for path in (Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
#: What is ours on a page of JupyterLab.
OURS = (".jp-OutputArea-output", ".jp-RenderedMarkdown")
SCROLLED = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer"
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


CHANGE_THEME = """async theme => {
  await window.jupyterapp.commands.execute('apputils:change-theme', { theme })
  while (document.body.dataset.jpThemeName !== theme) await new Promise(resolve => setTimeout(resolve, 50))
}"""
#: How loud the player is that holds the sound, as root mean square over all samples.
LOUDNESS = """async player => {
  const bytes = await (await fetch(player.src)).arrayBuffer()
  const sound = await new OfflineAudioContext(2, 1, 22050).decodeAudioData(bytes)
  const samples = sound.getChannelData(0)
  return Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length)
}"""


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_to_its_end_and_its_widgets_do_what_they_say(name: str, lab: Any) -> None:
    page, stem = lab.page, name.removesuffix(".ipynb")
    lab.errors.clear()
    page.goto(f"{lab.url}/lab/tree/my_notebooks/{name}?reset")
    here = "path => window.jupyterapp?.shell?.currentWidget?.context?.path === path"
    page.wait_for_function(here, arg=f"my_notebooks/{name}", timeout=60_000)
    page.evaluate(READY)
    lab.shot(f"{stem}_top")
    assert page.evaluate(RUN_ALL) == []
    page.wait_for_timeout(500)
    lab.shots_down(stem)
    answer_questions(page)
    turn_sliders(lab, stem)
    unfold_hints_and_solutions(lab, stem)
    if page.get_by_role("button", name="Hear 20 s").count():
        plan_a_night(lab)
    if page.get_by_role("button", name="X is A").count():
        take_abx_test(lab)
    lengths = durations(page)
    assert lengths and min(lengths) > 0.0, lengths
    assert playing_at_once(page) == 1
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.evaluate(CHANGE_THEME, theme)
        show_something_of_ours(lab, f"{stem}_{theme.split()[1].lower()}")
        faults = faults_of_ours(page)
        assert not faults, "\n".join([theme, *faults])
    assert ours(lab.errors) == []
    page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=lab.folder, capture_output=True, text=True, check=True
    )
    assert changed.stdout == "", "stepping through leaves the checkout as it was"


def answer_questions(page: Any) -> None:
    """Choose an answer to each question, and read the score."""
    questions = page.locator(".widget-radio-box")
    count = questions.count()
    assert count >= 3, "each notebook asks for predictions"
    for number in range(count):
        questions.nth(number).locator("input").first.check()
    # the kernel counts: the last answer is in the score a moment after its click
    score = page.get_by_text(re.compile(rf"Predictions: \d+ right of {count} answered, {count} asked"))
    score.wait_for()
    assert int(re.findall(r"\d+", score.inner_text())[0]) <= count
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


def unfold_hints_and_solutions(lab: Any, stem: str) -> None:
    page = lab.page
    hints, solutions = page.locator(".jp-RenderedMarkdown details"), page.locator(".jp-InputPlaceholder")
    assert hints.count() >= 3, "hints are folded"
    for number in range(hints.count()):
        hint = hints.nth(number)
        assert hint.get_attribute("open") is None
        hint.locator("summary").first.click()
        assert hint.get_attribute("open") is not None
    hints.first.evaluate("hint => hint.scrollIntoView()")
    lab.shot(f"{stem}_hint")
    count = solutions.count()
    assert count >= 4, "the source of solutions is hidden"
    for left in range(count, 0, -1):
        assert solutions.count() == left
        solutions.first.click()


def plan_a_night(lab: Any) -> None:
    """A step is typed and drawn, heard from minute 0, saved, and loaded again after another change."""
    from playwright.sync_api import expect

    page = lab.page
    editor = page.locator(".widget-vbox").filter(has=page.get_by_role("button", name="Hear 20 s")).first
    rate, status = editor.get_by_label("rate (Hz)").first, editor.get_by_role("status")
    button = lambda name: editor.get_by_role("button", name=name, exact=True)  # noqa: E731

    def typed(value: str) -> None:
        drawn = editor.locator("img")
        before = drawn.get_attribute("src")
        rate.fill(value)
        rate.press("Tab")
        page.wait_for_function(
            "([img, before]) => !img.isConnected || img.src !== before", arg=[drawn.element_handle(), before]
        )

    typed("7.5")
    button("Hear 20 s").click()
    player = editor.locator("audio")
    player.wait_for(timeout=60_000)
    assert player.get_attribute("aria-label") == "20 s from minute 0, without the fade"
    assert page.evaluate(LOUDNESS, player.element_handle()) > 0.01
    editor.evaluate("editor => editor.scrollIntoView()")
    lab.shot("timeline")
    inside = editor.bounding_box()
    assert inside and inside["height"] <= 780, "fields, picture and player are seen together"
    button("Save").click()
    status.get_by_text("saved; now: ctxaudio session --schedule").wait_for()
    typed("4")
    button("Load").click()
    expect(rate).to_have_value("7.5")


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


def faults_of_ours(page: Any) -> list[str]:
    """What axe-core finds in a window as high as the notebook: it passes over text that is scrolled out of sight.

    It passes over all text in a body of no height, too, as JupyterLab has.
    """
    size, height = page.viewport_size, page.locator(SCROLLED).evaluate("box => box.scrollHeight")
    page.add_style_tag(content="body { height: 100vh }")
    page.set_viewport_size(size | {"height": height + 200})
    page.wait_for_timeout(500)
    faults = serious_faults(page, *OURS)
    page.set_viewport_size(size)
    return [fault for fault in faults if not fault.startswith("link-in-text-block")]  # links are drawn by JupyterLab


def show_something_of_ours(lab: Any, name: str) -> None:
    """A picture of a widget with a slider, else of a question."""
    page = lab.page
    sliders = page.locator(".noUi-handle")
    (sliders if sliders.count() else page.locator(".widget-radio-box")).first.scroll_into_view_if_needed()
    lab.shot(name)


def ours(errors: list[str]) -> list[str]:
    """Without what JupyterLab says of itself."""
    return [error for error in errors if not re.search(r"favicon|jupyter|/api/|/lab/|/static/", error)]
