"""A night on a timeline: typed as YAML, drawn and saved as it is typed, heard at any minute before it is rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
from IPython.display import display

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import written_whole
from ctxaudio.plots import Picture, timeline
from ctxaudio.render.beds import GeneratedBed
from ctxaudio.render.generate import model_for, trained_conditions
from ctxaudio.render.night import Night, Source, example_nights, plan_session, read_night, with_conditions
from ctxaudio.render.session import Finish, preview
from ctxaudio.widgets import NAME_SLIDERS, Sound, said

#: What a night lasts and how it is faded where it does not say; how long a preview is.
MINUTES, FADE_S, PREVIEW_S = 60.0, 10.0, 20.0


def picture_of_night(night: Night) -> Picture:
    """The plan: rate, depth and level over time, and where a condition begins."""
    schedule, ends = night.schedule, night.length_and_fade(MINUTES, FADE_S)
    return timeline(schedule.knots(), *ends, levels=schedule.levels(), conditions=schedule.conditions())


def plan_night(context: str, path: Path, interactive: bool, model_path: Path | None = None, seed: int = 0) -> None:
    """Show an editor of the YAML file `path`; where there is none, an example of `context` is written to it.

    Args:
        interactive: False draws the night and renders a preview, without widgets.
        model_path: the generator to listen to; None is the base.
    """
    generator, about = model_for(model_path, context)
    known = [generator.config.conditions[index] for index in trained_conditions(generator)]

    def heard(night: Night, minute: float) -> Sound:
        bed = GeneratedBed(generator, -1, 2, seed, night.schedule.conditions(), night.schedule.glide_s)
        minutes, fade_s = night.length_and_fade(MINUTES, FADE_S)
        source, finish = Source(bed, about["context"]), Finish(fade_s=fade_s)
        session = plan_session(source, night.modulation, minutes, finish, night.mix, seed)
        in_a_fade = min(minute, minutes - minute) * 60.0 < fade_s
        title = f"{PREVIEW_S:g} s from minute {minute:g}{', without the fade' if in_a_fade else ''}"
        return Sound(preview(session, minute, PREVIEW_S), bed.sample_rate, title, small=interactive)

    examples = {name: with_conditions(night, known) for name, night in example_nights(context).items()}
    if not path.exists():
        next(iter(examples.values())).write(path)
    if interactive:
        display(NightEditor(path, examples, known, heard).panel)
    else:
        night = with_conditions(read_night(path), known)
        display(picture_of_night(night), heard(night, 0.0))


class NightEditor:
    """The widgets (`panel`) and the `night` that they show: the last one without a mistake, which `path` holds."""

    def __init__(
        self, path: Path, examples: Mapping[str, Night], known: Sequence[str], heard: Callable[[Night, float], Sound]
    ) -> None:
        self.night, self._path, self._known, self._heard = next(iter(examples.values())), path, known, heard
        saved = path.read_text(encoding="utf-8", errors="replace")
        self.example = ipywidgets.Dropdown(options={"as saved": saved} | dict(examples), description="example")
        self.text = ipywidgets.Textarea(saved, description="night", rows=11, continuous_update=False)
        self.text.layout.width = "60em"
        self.minute = ipywidgets.FloatSlider(description="minute", min=0.0, max=MINUTES, step=0.5)
        self.hear = ipywidgets.Button(description=f"Hear {PREVIEW_S:g} s")
        self.drawn, self.played, self.status = (ipywidgets.HTML() for _ in range(3))
        self.example.observe(self._choose, names="value")
        self.text.observe(self._update, names="value")
        self.hear.on_click(self._play)
        listening = ipywidgets.HBox([self.minute, self.hear, self.played], layout={"flex_flow": "row wrap"})
        self.panel = ipywidgets.VBox([self.example, self.text, self.status, listening, self.drawn])
        self._update()

    def _choose(self, _change: Any) -> None:
        if isinstance(self.example.value, Night):
            self.example.value.write(self._path)
            self.text.value = self._path.read_text(encoding="utf-8")
        else:
            self.text.value = self.example.value

    def _update(self, _change: Any = None) -> None:
        """Draw and save what was typed. A mistake is shown, not raised: it is the reader's, and the file stays."""
        aside = self._path
        try:
            with written_whole(self._path) as aside:
                aside.write_text(self.text.value, encoding="utf-8", errors="replace")
                night = read_night(aside)
                _ = night.modulation  # within comfort
                if unknown := {name for _, name in night.schedule.conditions()}.difference(self._known):
                    raise CtxAudioError(
                        f"the model does not know {min(unknown)!r}: choose from {', '.join(self._known)}"
                    )
        except CtxAudioError as error:
            self.status.value = said(str(error).replace(str(aside), str(self._path)), wrong=True)
            return
        minutes, _ = night.length_and_fade(MINUTES, FADE_S)
        self.night, self.minute.max = night, minutes
        self.drawn.value = picture_of_night(night).html("max-width:100%;max-height:38vh", NAME_SLIDERS)
        render = f"ctxaudio session --schedule {self._path} --output_path night.flac"
        self.status.value = said(
            f"{len(night.schedule.steps)} steps, {minutes:g} minutes, saved; to render it: {render}"
        )

    def _play(self, _button: Any) -> None:
        try:
            self.played.value = self._heard(self.night, self.minute.value).captioned(autoplay=True)
        except CtxAudioError as error:
            self.status.value = said(str(error), wrong=True)
