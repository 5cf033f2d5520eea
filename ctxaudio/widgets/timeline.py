"""A night on a timeline: steps are typed, drawn before anything is rendered, heard at any minute, and kept as YAML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets
from IPython.display import display

from ctxaudio.contexts import BANDS
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.schedule import Schedule, Step
from ctxaudio.plots import Picture, timeline
from ctxaudio.render.beds import GeneratedBed
from ctxaudio.render.finish import Finish
from ctxaudio.render.generate import model_for, trained_conditions
from ctxaudio.render.night import Night, band_of, example_nights, read_night, with_conditions
from ctxaudio.render.session import Mixed, Source, plan_session, preview
from ctxaudio.widgets.players import NAME_SLIDERS, Sound, failure, image, play, said

#: What a night lasts and how it is faded where it does not say.
MINUTES, FADE_S, PREVIEW_S = 60.0, 10.0, 20.0
STEP_WIDTHS = {"minute": 5, "band": 6, "rate (Hz)": 5, "depth": 4, "level (dB)": 5, "condition": 12}
MIX_WIDTHS = {"recording": 20, "level (dB)": 5, "gap (s)": 5}
Fields = dict[str, Any]


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

    saved = {"as saved": read_night(path)} if path.exists() else {}
    examples = {name: with_conditions(night, known) for name, night in (saved | example_nights(context)).items()}
    editor = NightEditor(examples, known, heard, path)
    if interactive:
        display(editor.panel)
    else:
        display(picture_of_night(editor.night), heard(editor.night, 0.0))
    return editor


class NightEditor:
    """The widgets (`panel`) and the `night` that they show, which is the last one without a mistake."""

    def __init__(
        self,
        examples: dict[str, Night],
        conditions: Sequence[str],
        heard: Callable[[Night, float], Sound],
        path: Path,
    ) -> None:
        self.night = next(iter(examples.values()))
        self._conditions, self._heard, self._filling = conditions, heard, False
        self.steps: list[Fields] = []
        self.mix: list[Fields] = []
        self._step_rows, self._mix_rows = ipywidgets.VBox(), ipywidgets.VBox()
        self.whole = {
            "minutes": _number("minutes", MINUTES, 0.1, 1440.0),
            "fade_s": _number("fades (s)", FADE_S, 0.0, 600.0),
            "glide_s": _number("glide (s)", 60.0, 0.1, 3600.0),
        }
        self.example = ipywidgets.Dropdown(options=list(examples), description="example")
        self.file = ipywidgets.Text(str(path), description="file")
        self.minute = ipywidgets.FloatSlider(description="minute", min=0.0, max=MINUTES, step=0.5)
        self.drawn, self.played, self.status = (ipywidgets.HTML() for _ in range(3))
        actions = {
            "Add a step": self._add_step,
            "Mix in a recording": lambda: self._add_mix(Mixed(Path("rain.wav"), -12.0, 0.0)),
            "Load": lambda: self.show(read_night(Path(self.file.value))),
            "Save": self._save,
            "Hear 20 s": self._play,
        }
        self.buttons = {name: _button(name, self._guarded(action)) for name, action in actions.items()}
        self.example.observe(lambda change: self.show(examples[change["new"]]), names="value")
        for field in self.whole.values():
            field.observe(self._changed, names="value")
        add, mix, load, save, hear = self.buttons.values()
        plan = ipywidgets.VBox([_header(STEP_WIDTHS), self._step_rows, self._mix_rows, ipywidgets.HBox([add, mix])])
        whole = ipywidgets.VBox([self.example, *self.whole.values(), self.file, ipywidgets.HBox([load, save])])
        wrapped = {"flex_flow": "row wrap"}
        listening = ipywidgets.HBox([self.minute, hear, self.played], layout=wrapped)
        self.panel = ipywidgets.VBox(
            [ipywidgets.HBox([plan, whole], layout=wrapped), self.status, listening, self.drawn]
        )
        self.show(self.night)

    def show(self, night: Night) -> None:
        """Fill all fields from `night`, and draw it."""
        self._filling = True
        self.steps, self.mix = [], []
        for step in night.schedule.steps:
            self._add_row(self.steps, self._step_fields(step), STEP_WIDTHS)
        for mixed in night.mix:
            self._add_mix(mixed)
        wanted = (*night.length_and_fade(MINUTES, FADE_S), night.schedule.glide_s)
        for field, value in zip(self.whole.values(), wanted, strict=True):
            field.value = value
        self._filling = False
        self._changed()

    def read(self) -> Night:
        """The night that the fields describe; raises `CtxAudioError` for one that can't be."""
        rows = [{name: field.value for name, field in row.items() if name != "row"} for row in self.steps]
        steps = [
            Step(row["minute"], row["rate (Hz)"], row["depth"], row["level (dB)"], row["condition"] or None)
            for row in sorted(rows, key=lambda row: float(row["minute"]))
        ]
        whole = {name: field.value for name, field in self.whole.items()}
        schedule = Schedule(tuple(steps), whole.pop("glide_s"))
        mix = (Mixed(Path(row["recording"].value), row["level (dB)"].value, row["gap (s)"].value) for row in self.mix)
        return Night(schedule, mix=tuple(mix), **whole)

    def _changed(self, _change: Any = None) -> None:
        if self._filling:
            return
        self._step_rows.children = [fields["row"] for fields in self.steps]
        header = [_header(MIX_WIDTHS)] if self.mix else []
        self._mix_rows.children = [*header, *(fields["row"] for fields in self.mix)]
        self._guarded(self._take)()

    def _take(self) -> None:
        night = self.read()
        _ = night.modulation  # within comfort
        self.night = night
        self.minute.max = night.minutes
        self.drawn.value = image(picture_of_night(night), "38vh", NAME_SLIDERS)
        self.status.value = said(f"{len(self.steps)} steps, {night.minutes:g} minutes.")

    def _guarded(self, action: Callable[[], None]) -> Callable[[], None]:
        """`action`, whose mistakes are shown in place of being raised: they are the reader's."""

        def done() -> None:
            try:
                action()
            except CtxAudioError as error:
                self.status.value = failure(str(error))

        return done

    def _add_step(self) -> None:
        last = max(self.night.schedule.steps, key=lambda step: step.minute)
        later = replace(last, minute=min(last.minute + 10.0, 1440.0), condition=None)
        self._add_row(self.steps, self._step_fields(later), STEP_WIDTHS)

    def _add_mix(self, mixed: Mixed) -> None:
        fields = {
            "recording": ipywidgets.Text(mixed.path.as_posix()),
            "level (dB)": _number("level (dB)", mixed.level_db, -60.0, 20.0),
            "gap (s)": _number("gap (s)", mixed.gap_s, 0.0, 3600.0),
        }
        self._add_row(self.mix, fields, MIX_WIDTHS)

    def _step_fields(self, step: Step) -> Fields:
        if step.condition not in (None, *self._conditions):
            known = ", ".join(self._conditions)
            raise CtxAudioError(f"the model does not know {step.condition!r}: choose from {known}")
        bands = ipywidgets.Dropdown(options=["", *BANDS], value=band_of(step.rate_hz))
        rate = _number("rate (Hz)", step.rate_hz, 0.01, 100.0)

        def middle(change: Any) -> None:
            if change["new"] and change["new"] != band_of(rate.value):
                rate.value = round(BANDS[change["new"]].middle_hz, 2)

        bands.observe(middle, names="value")
        rate.observe(lambda change: setattr(bands, "value", band_of(change["new"])), names="value")
        conditions = [("as before", ""), *((name.replace("_", " "), name) for name in self._conditions)]
        return {
            "minute": _number("minute", step.minute, 0.0, 1440.0),
            "band": bands,
            "rate (Hz)": rate,
            "depth": _number("depth", step.depth, 0.0, 1.0, 0.05),
            "level (dB)": _number("level (dB)", step.level_db, -60.0, 20.0),
            "condition": ipywidgets.Dropdown(options=conditions, value=step.condition or ""),
        }

    def _add_row(self, rows: list[Fields], fields: Fields, widths: dict[str, int]) -> None:
        for name, width in widths.items():
            fields[name].layout.width = f"{width}em"
            # the name is in the header for those who see, and stays with the field for those who don't
            fields[name].description, fields[name].style.description_width = name, "0px"
            fields[name].observe(self._changed, names="value")

        def removed() -> None:
            rows.remove(fields)
            self._changed()

        remove = _button("✕", removed, f"remove this {'step' if rows is self.steps else 'recording'}", "3em")
        fields["row"] = ipywidgets.HBox([*(fields[name] for name in widths), remove])
        rows.append(fields)
        self._changed()

    def _save(self) -> None:
        night, path = self.read(), Path(self.file.value)
        night.write(path)
        self.status.value = said(f"saved; now: ctxaudio session --schedule {path} --output_path night.flac")

    def _play(self) -> None:
        self.played.value = self._heard(self.night, self.minute.value).captioned(autoplay=True)


def _number(name: str, value: float, low: float, high: float, step: float = 1.0) -> Any:
    return ipywidgets.BoundedFloatText(value, min=low, max=high, step=step, description=name)


def _button(name: str, action: Callable[[], None], tooltip: str = "", width: str = "auto") -> ipywidgets.Button:
    button = ipywidgets.Button(description=name, tooltip=tooltip or name, layout={"width": width})
    button.on_click(lambda _button: action())
    return button


def _header(widths: dict[str, int]) -> ipywidgets.HBox:
    return ipywidgets.HBox([ipywidgets.Label(name, layout={"width": f"{width}em"}) for name, width in widths.items()])
