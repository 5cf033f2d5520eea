"""A night on a timeline: its steps are typed, drawn before anything is rendered, heard at any minute, kept as YAML."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import ipywidgets
from IPython.display import display

from ctxaudio.contexts import BANDS
from ctxaudio.errors import CtxAudioError, did_you_mean
from ctxaudio.files import write_text
from ctxaudio.plots import Picture, timeline
from ctxaudio.render.beds import GeneratedBed
from ctxaudio.render.finish import Finish
from ctxaudio.render.generate import model_for, trained_conditions
from ctxaudio.render.night import Night, example_nights, night_text, parse_night
from ctxaudio.render.session import Source, plan_session, preview
from ctxaudio.widgets.players import NAME_SLIDERS, Sound, failure, image, play, said

#: What a night lasts and how it is faded where it does not say.
MINUTES, FADE_S, PREVIEW_S = 60.0, 10.0, 20.0


def picture_of_night(night: Night) -> Picture:
    """The plan: rate, depth and level over time, and where a condition begins."""
    schedule, ends = night.schedule, night.length_and_fade(MINUTES, FADE_S)
    return timeline(schedule.knots(), *ends, levels=schedule.levels(), conditions=schedule.conditions())


def plan_night(
    context: str, path: Path, interactive: bool, model_path: Path | None = None, seed: int = 0
) -> NightEditor:
    """Show an editor that begins with what `path` holds, else with an example of `context`; its `night` is the plan.

    Args:
        path: the YAML file that it offers to save and load, for `ctxaudio session --schedule`.
        interactive: False draws the example and renders a preview, without widgets.
        model_path: the generator to listen to; None is the base.
    """
    generator, about = model_for(model_path, context)
    known = [generator.config.conditions[index] for index in trained_conditions(generator)]

    def heard(night: Night, minute: float) -> Sound:
        bed = GeneratedBed(generator, -1, 2, seed, night.schedule.conditions(), night.schedule.glide_s)
        minutes, fade_s = night.length_and_fade(MINUTES, FADE_S)
        finish = Finish(fade_s=fade_s)
        session = plan_session(Source(bed, about["context"]), night.modulation, minutes, finish, night.mix, seed)
        in_a_fade = min(minute, minutes - minute) * 60.0 < fade_s
        title = f"{PREVIEW_S:g} s from minute {minute:g}{', without the fade' if in_a_fade else ''}"
        return play(preview(session, minute, PREVIEW_S), bed.sample_rate, title, small=interactive)

    saved = {"as saved": night_text(path)} if path.exists() else {}
    editor = NightEditor(saved | example_nights(context, known), known, heard, path)
    if interactive:
        display(editor.panel)
    else:
        display(picture_of_night(editor.night), heard(editor.night, 0.0))
    return editor


class NightEditor:
    """The widgets (`panel`) and the `night` that they show, which is the last one without a mistake.

    Args:
        examples: nights as YAML, by name; the first is shown.
        conditions: what a step may cross over to.
        heard: a preview of a night from a minute on.
        path: the file to save to and to load from, at first; recordings are named from its folder.
    """

    def __init__(
        self,
        examples: Mapping[str, str],
        conditions: Sequence[str],
        heard: Callable[[Night, float], Sound],
        path: Path,
    ) -> None:
        self._conditions, self._heard = conditions, heard
        self.example = ipywidgets.Dropdown(options=list(examples), description="example")
        self.file = ipywidgets.Text(str(path), description="file")
        plan, wide = examples[self.example.value], {"width": "62em"}
        self.plan = ipywidgets.Textarea(plan, description="plan", continuous_update=False, rows=12, layout=wide)
        self.minute = ipywidgets.FloatSlider(description="minute", min=0.0, max=MINUTES, step=0.5)
        self.drawn, self.played, self.status = (ipywidgets.HTML() for _ in range(3))
        names = {"Load": self.load, "Save": self.save, "Hear 20 s": self._play}
        self.buttons = {name: ipywidgets.Button(description=name, tooltip=name) for name in names}
        for name, action in names.items():
            self.buttons[name].on_click(lambda _button, action=action: self._guarded(action))
        self.example.observe(lambda change: setattr(self.plan, "value", examples[change["new"]]), names="value")
        self.plan.observe(lambda _change: self._guarded(self._take), names="value")
        about = html.escape(
            f"A step a line: minute; band ({', '.join(BANDS)}), rate_hz or both; depth 0 to 1; level_db; condition "
            f"({', '.join(conditions)}). A recording now and then: mix: [{{file: rain.wav, level_db: -12, gap_s: 30}}]"
        )
        load, save, hear = self.buttons.values()
        whole = ipywidgets.VBox([self.example, self.file, ipywidgets.HBox([load, save])])
        wrapped = {"flex_flow": "row wrap"}
        typed = ipywidgets.VBox([self.plan, ipywidgets.HTML(about, layout={**wide, "margin": "0 0 0 7em"})])
        listening = ipywidgets.HBox([self.minute, hear, self.played], layout=wrapped)
        self.panel = ipywidgets.VBox(
            [ipywidgets.HBox([typed, whole], layout=wrapped), self.status, listening, self.drawn]
        )
        self._take()

    def read(self) -> Night:
        """The night that is typed; raises `CtxAudioError` for one that can't be, or that is beyond comfort."""
        night = parse_night(self.plan.value, Path(self.file.value))
        _ = night.modulation
        for _, condition in night.schedule.conditions():
            if condition not in self._conditions:
                known = f"{did_you_mean(condition, self._conditions)}: choose from {', '.join(self._conditions)}"
                raise CtxAudioError(f"the model has seen no clip of condition {condition}{known}")
        return night

    def save(self) -> None:
        """Write what is typed, if it is a night, to the file."""
        self._take()
        write_text(Path(self.file.value), self.plan.value)
        self.status.value = said(f"saved; now: ctxaudio session --schedule {self.file.value} --output_path night.flac")

    def load(self) -> None:
        """Show what the file holds."""
        self.plan.value = night_text(Path(self.file.value))

    def _take(self) -> None:
        self.night = self.read()
        minutes = self.minute.max = self.night.length_and_fade(MINUTES, FADE_S)[0]
        self.drawn.value = image(picture_of_night(self.night), "38vh", NAME_SLIDERS)
        self.status.value = said(f"{len(self.night.schedule.steps)} steps, {minutes:g} minutes.")

    def _play(self) -> None:
        self.played.value = self._heard(self.night, self.minute.value).captioned(autoplay=True)

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do `action`; mistakes are shown in place of being raised: they are the reader's."""
        try:
            action()
        except CtxAudioError as error:
            self.status.value = failure(str(error))
