"""A night on a timeline: steps are typed, drawn before anything is rendered, heard at any minute, and kept as YAML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets
from IPython.display import display

from ctxaudio.contexts import BANDS
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.schedule import Mixed, Night, Schedule, Step, band_of, example_nights, read_night
from ctxaudio.plots import Picture, spaced, timeline
from ctxaudio.render.beds import GeneratedBed
from ctxaudio.render.generate import model_for, trained_conditions
from ctxaudio.render.session import Finish, Session, preview
from ctxaudio.widgets import NAME_SLIDERS, Sound, said

PREVIEW_S = 20.0
#: The columns of the steps and of what is mixed in, and how wide they are in em.
STEP_WIDTHS = {"minute": 5, "band": 6, "rate (Hz)": 5, "depth": 4, "level (dB)": 5, "condition": 12}
MIX_WIDTHS = {"recording": 20, "level (dB)": 5, "gap (s)": 5}


def picture_of_night(night: Night) -> Picture:
    """The plan: rate, depth and level over time, and where a condition begins."""
    return timeline(night.schedule, night.minutes, night.fade_s)


def plan_night(
    context: str, path: Path, interactive: bool, model_path: Path | None = None, seed: int = 0
) -> NightEditor:
    """Show an editor that begins with what `path` holds, else with an example of `context`; its `night` is the plan.

    Args:
        path: the YAML file that it offers to save and load, for `ctxaudio session --schedule`.
        interactive: False draws the example and renders a preview, without widgets.
        model_path: the generator to listen to; None is the base.
    """
    generator, _ = model_for(model_path, context)
    known = [generator.config.conditions[index] for index in trained_conditions(generator)]

    def heard(night: Night, minute: float) -> Sound:
        bed = GeneratedBed(generator, -1, 2, seed, night.schedule)
        session = Session(bed, night.modulation, night.minutes, Finish(fade_s=night.fade_s), night.mix)
        in_a_fade = min(minute, night.minutes - minute) * 60.0 < night.fade_s
        title = f"{PREVIEW_S:g} s from minute {minute:g}{', without the fade' if in_a_fade else ''}"
        return Sound(preview(session, minute, PREVIEW_S), bed.sample_rate, title, small=interactive)

    saved = {"as saved": read_night(path)} if path.exists() else {}
    examples = {name: night.with_conditions(known) for name, night in (saved | example_nights(context)).items()}
    editor = NightEditor(examples, known, heard, path)
    if interactive:
        display(editor.panel)
    else:
        display(picture_of_night(editor.night), heard(editor.night, 0.0))
    return editor


class NightEditor:
    """The widgets (`panel`) and the `night` that they show, which is the last one without a mistake.

    `steps` and `mix` are rows of fields in the order of `STEP_WIDTHS` and `MIX_WIDTHS`, and a button to remove the row.
    """

    def __init__(
        self, examples: Mapping[str, Night], known: Sequence[str], heard: Callable[[Night, float], Sound], path: Path
    ) -> None:
        self._known, self._heard, self._filling = known, heard, False
        self.steps: list[ipywidgets.HBox] = []
        self.mix: list[ipywidgets.HBox] = []
        self._step_rows, self._mix_rows, self._mix_header = ipywidgets.VBox(), ipywidgets.VBox(), _header(MIX_WIDTHS)
        ranges = {
            "minutes": (Night.minutes, 0.1, 1440.0),
            "fades (s)": (Night.fade_s, 0.0, 600.0),
            "glide (s)": (60.0, 0.1, 3600.0),
        }
        self.whole = {name: _number(*numbers, description=name) for name, numbers in ranges.items()}
        self.example = ipywidgets.Dropdown(options=list(examples), description="example")
        self.file = ipywidgets.Text(str(path), description="file")
        self.minute = ipywidgets.FloatSlider(description="minute", min=0.0, max=Night.minutes, step=0.5)
        self.drawn, self.played, self.status = (ipywidgets.HTML() for _ in range(3))
        actions = {
            "Add a step": self._add_step,
            "Mix in a recording": lambda: self._add_mix(Mixed(Path("rain.wav"), -12.0)),
            "Load": lambda: self.show(read_night(Path(self.file.value))),
            "Save": self._save,
            "Hear 20 s": self._play,
        }
        self.buttons = {name: self._button(name, action) for name, action in actions.items()}
        self.example.observe(lambda change: self.show(examples[change["new"]]), names="value")
        for field in self.whole.values():
            field.observe(self._changed, names="value")
        add, mix, load, save, hear = self.buttons.values()
        plan = ipywidgets.VBox([_header(STEP_WIDTHS), self._step_rows, self._mix_rows, ipywidgets.HBox([add, mix])])
        whole = ipywidgets.VBox([self.example, *self.whole.values(), self.file, ipywidgets.HBox([load, save])])
        wrapped = {"flex_flow": "row wrap"}
        above = ipywidgets.HBox([plan, whole], layout=wrapped)
        listening = ipywidgets.HBox([self.minute, hear, self.played], layout=wrapped)
        self.panel = ipywidgets.VBox([above, self.status, listening, self.drawn])
        self.show(next(iter(examples.values())))

    def show(self, night: Night) -> None:
        """Fill all fields from `night`, and draw it; raises `CtxAudioError` for a condition the model does not know."""
        for step in night.schedule.steps:
            if step.condition not in (None, *self._known):
                known = ", ".join(self._known)
                raise CtxAudioError(f"the model does not know {step.condition!r}: choose from {known}")
        self._filling = True
        self.steps.clear()
        self.mix.clear()
        for step in night.schedule.steps:
            self._add_row(self.steps, self._step_fields(step), STEP_WIDTHS)
        for mixed in night.mix:
            self._add_mix(mixed)
        wanted = (night.minutes, night.fade_s, night.schedule.glide_s)
        for field, value in zip(self.whole.values(), wanted, strict=True):
            field.value = value
        self._filling = False
        self._changed()

    def read(self) -> Night:
        """The night that the fields describe; raises `CtxAudioError` for one that can't be."""
        steps, mix = ([[field.value for field in row.children[:-1]] for row in rows] for rows in (self.steps, self.mix))
        minutes, fade_s, glide_s = (field.value for field in self.whole.values())
        schedule = Schedule(
            tuple(
                Step(minute, rate_hz, depth, level_db, condition or None)
                for minute, _band, rate_hz, depth, level_db, condition in sorted(steps)
            ),
            glide_s,
        )
        return Night(schedule, minutes, fade_s, tuple(Mixed(Path(file), *numbers) for file, *numbers in mix))

    def _changed(self, _change: Any = None) -> None:
        if not self._filling:
            self._step_rows.children = self.steps
            self._mix_rows.children = [self._mix_header, *self.mix] if self.mix else []
            self._guarded(self._draw)

    def _draw(self) -> None:
        night = self.read()
        _ = night.modulation  # within comfort
        self.night, self.minute.max = night, night.minutes
        self.drawn.value = picture_of_night(night).html("max-width:100%;max-height:38vh", NAME_SLIDERS)
        self.status.value = said(f"{len(self.steps)} steps, {night.minutes:g} minutes.")

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do it, and show a mistake in place of raising it: it is the reader's."""
        try:
            action()
        except CtxAudioError as error:
            self.status.value = said(str(error), wrong=True)

    def _button(self, name: str, action: Callable[[], None], **look: Any) -> ipywidgets.Button:
        button = ipywidgets.Button(**{"description": name, "tooltip": name, "layout": {"width": "auto"}} | look)
        button.on_click(lambda _button: self._guarded(action))
        return button

    def _add_step(self) -> None:
        last = max(self.night.schedule.steps, key=lambda step: step.minute)
        later = replace(last, minute=min(last.minute + 10.0, 1440.0), condition=None)
        self._add_row(self.steps, self._step_fields(later), STEP_WIDTHS)

    def _add_mix(self, mixed: Mixed) -> None:
        numbers = [_number(mixed.level_db, -60.0, 20.0), _number(mixed.gap_s, 0.0, 3600.0)]
        self._add_row(self.mix, [ipywidgets.Text(mixed.path.as_posix()), *numbers], MIX_WIDTHS)

    def _step_fields(self, step: Step) -> list[Any]:
        band, rate = ipywidgets.Dropdown(options=["", *BANDS]), _number(step.rate_hz, 0.01, 100.0)
        band.value = band_of(step.rate_hz)

        def middle(change: Any) -> None:
            if change["new"] and change["new"] != band_of(rate.value):
                rate.value = round(BANDS[change["new"]].middle_hz, 2)

        band.observe(middle, names="value")
        rate.observe(lambda change: band.set_trait("value", band_of(change["new"])), names="value")
        conditions = [("as before", ""), *((spaced(name), name) for name in self._known)]
        condition = ipywidgets.Dropdown(options=conditions, value=step.condition or "")
        minute, depth = _number(step.minute, 0.0, 1440.0), _number(step.depth, 0.0, 1.0, step=0.05)
        return [minute, band, rate, depth, _number(step.level_db, -60.0, 20.0), condition]

    def _add_row(self, rows: list[ipywidgets.HBox], fields: list[Any], widths: dict[str, int]) -> None:
        for field, (name, width) in zip(fields, widths.items(), strict=True):
            # the name is in the header for those who see, and stays with the field for those who don't
            field.description, field.style.description_width, field.layout.width = name, "0px", f"{width}em"
            field.observe(self._changed, names="value")

        def removed() -> None:
            rows.remove(row)
            self._changed()

        tooltip = f"remove this {'step' if rows is self.steps else 'recording'}"
        row = ipywidgets.HBox([*fields, self._button("✕", removed, tooltip=tooltip, layout={"width": "3em"})])
        rows.append(row)
        self._changed()

    def _save(self) -> None:
        path = Path(self.file.value)
        self.read().write(path)
        self.status.value = said(f"saved; now: ctxaudio session --schedule {path} --output_path night.flac")

    def _play(self) -> None:
        self.played.value = self._heard(self.night, self.minute.value).captioned(autoplay=True)


def _number(value: float, low: float, high: float, **look: Any) -> ipywidgets.BoundedFloatText:
    return ipywidgets.BoundedFloatText(value, min=low, max=high, **{"step": 1.0} | look)


def _header(widths: dict[str, int]) -> ipywidgets.HBox:
    return ipywidgets.HBox([ipywidgets.Label(name, layout={"width": f"{width}em"}) for name, width in widths.items()])
