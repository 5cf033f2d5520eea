"""A night on a timeline: typed as YAML, drawn and saved as it is typed, before anything is rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
from IPython.display import display

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import written_whole
from ctxaudio.plots import Picture, timeline
from ctxaudio.render.generate import model_for, trained_conditions
from ctxaudio.render.night import Night, example_nights, read_night, with_conditions
from ctxaudio.widgets import said

#: What a night lasts and how it is faded where it does not say.
MINUTES, FADE_S = 60.0, 10.0


def picture_of_night(night: Night) -> Picture:
    """The plan: rate, depth and level over time, and where a condition begins."""
    schedule, ends = night.schedule, night.length_and_fade(MINUTES, FADE_S)
    return timeline(schedule.knots(), *ends, levels=schedule.levels(), conditions=schedule.conditions())


def plan_night(context: str, path: Path, interactive: bool, model_path: Path | None = None) -> None:
    """Show an editor of the YAML file `path`; where there is none, an example of `context` is written to it.

    `model_path` is the generator whose conditions may be named; None is the base. Without `interactive`, the night is
    drawn without widgets.
    """
    generator, _about = model_for(model_path, context)
    known = [generator.config.conditions[index] for index in trained_conditions(generator)]
    examples = {name: with_conditions(night, known) for name, night in example_nights(context).items()}
    if not path.exists():
        next(iter(examples.values())).write(path)
    if interactive:
        display(night_editor(path, examples, known))
    else:
        display(picture_of_night(with_conditions(read_night(path), known)))


def night_editor(path: Path, examples: Mapping[str, Night], known: Sequence[str]) -> ipywidgets.VBox:
    """The widget: a menu of `examples`, the text, what there is to say of it, and the last night without a mistake."""
    saved = path.read_text(encoding="utf-8", errors="replace")
    menu = ipywidgets.Dropdown(options={"as saved": saved} | dict(examples), description="example")
    text = ipywidgets.Textarea(saved, description="night", rows=11, continuous_update=False, layout={"width": "60em"})
    told, drawn = ipywidgets.HTML(), ipywidgets.HTML()

    def choose(_change: Any) -> None:
        if isinstance(menu.value, Night):
            menu.value.write(path)
            text.value = path.read_text(encoding="utf-8")
        else:
            text.value = menu.value

    def update(_change: Any = None) -> None:
        """Draw and save what was typed. A mistake is shown, not raised: it is the reader's, and the file stays."""
        aside = path
        try:
            with written_whole(path) as aside:
                aside.write_text(text.value, encoding="utf-8", errors="replace")
                night = read_night(aside)
                _ = night.modulation  # within comfort
                if unknown := {name for _, name in night.schedule.conditions()}.difference(known):
                    raise CtxAudioError(f"the model does not know {min(unknown)!r}: choose from {', '.join(known)}")
        except CtxAudioError as error:
            told.value = said(str(error).replace(str(aside), str(path)), wrong=True)
            return
        drawn.value = picture_of_night(night).html("max-width:100%;max-height:38vh")
        steps, (minutes, _) = len(night.schedule.steps), night.length_and_fade(MINUTES, FADE_S)
        render = f"ctxaudio session --schedule {path} --output_path night.flac"
        told.value = said(f"{steps} steps, {minutes:g} minutes, saved; to render it: {render}")

    menu.observe(choose, names="value")
    text.observe(update, names="value")
    update()
    return ipywidgets.VBox([menu, text, told, drawn])
