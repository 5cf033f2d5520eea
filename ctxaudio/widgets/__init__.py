"""Players for notebooks that keep the level of a sound: one, several, or one beside a figure that sliders change.

A player holds its sound in the page, as WAV; a `small` one as MP3, about a sixth of that, which stored notebooks keep.
Needs the `notebooks` extra. Controls are wired with `observe` and `on_click` to text widgets: the usual ways
(`interact`, `Output`) can hang nbclient and papermill (jupyter/nbconvert#2029) and hide errors from them.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np
from IPython.display import display

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.plots import Picture
from ctxaudio.signal.audio import encode_audio
from ctxaudio.signal.loudness import BLOCK_S, integrated_lufs

#: What a player does when it starts: it stops all others of the page.
STOP_OTHERS = "for (const other of document.querySelectorAll('audio')) if (other !== this) other.pause()"
#: ipywidgets gives the handle of a slider no name for a screen reader; the label beside it is one.
NAME_SLIDERS = (
    "for (const slider of document.querySelectorAll('.widget-slider')) "
    "slider.querySelector('[role=slider]').setAttribute('aria-label', slider.querySelector('label').textContent)"
)


@dataclass(frozen=True, eq=False)
class Sound:
    """A player of `samples` (`[T]` or `[2, T]`, in -1..1) at their own level: nothing is normalised.

    Raises `CtxAudioError` for samples outside -1..1, not finite, empty or of another shape.
    """

    samples: FloatArray
    sample_rate: int
    title: str = ""
    small: bool = False

    def __post_init__(self) -> None:
        name, shape = repr(self.title) if self.title else "the sound", self.samples.shape
        if len(shape) == 0 or self.samples.size == 0 or shape[:-1] not in ((), (1,), (2,)):
            raise CtxAudioError(f"can't play {name}: expected samples [T] or [2, T], not shape {shape}")
        peak = float(np.abs(self.samples).max())
        if not peak <= 1.0:
            raise CtxAudioError(f"can't play {name}: peak {peak:.3g} is outside -1..1; turn it down with set_loudness")

    def facts(self) -> str:
        """Length, sample rate, peak of the samples and loudness (of the mono mix)."""
        duration_s, peak = self.samples.shape[-1] / self.sample_rate, float(np.abs(self.samples).max())
        length = f"{duration_s:.2f} s at {self.sample_rate} Hz"
        if peak == 0.0:
            return f"{length}, silent"
        lufs = "too short for LUFS"
        if duration_s >= BLOCK_S:
            lufs = f"{integrated_lufs(np.atleast_2d(self.samples).mean(axis=0), self.sample_rate):.1f} LUFS"
        peak_db = round(float(20.0 * np.log10(peak)), 1) + 0.0  # no "-0.0" just below full scale
        return f"{length}, peak {peak_db:.1f} dBFS, {lufs}"

    def player(self, preload: str = "auto", controls: bool = True, autoplay: bool = False) -> str:
        """An HTML `<audio>` element that holds the whole sound, and stops all others of the page when it starts."""
        kind, suffix = ("mpeg", ".mp3") if self.small else ("wav", ".wav")
        data = base64.b64encode(encode_audio(self.samples, self.sample_rate, suffix)).decode("ascii")
        shown = ("controls " if controls else "") + ("autoplay " if autoplay else "")
        return (
            f'<audio {shown}preload="{preload}" onplay="{html.escape(STOP_OTHERS)}" '
            f'aria-label="{html.escape(self.title or "sound")}" src="data:audio/{kind};base64,{data}"></audio>'
        )

    def captioned(self, autoplay: bool = False) -> str:
        """The player below its title and facts, as HTML."""
        title = f"<b>{html.escape(self.title)}</b> " if self.title else ""
        return f"<div>{title}<small>{html.escape(self.facts())}</small><br>{self.player(autoplay=autoplay)}</div>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/html": self.captioned(), "text/plain": f"<{self.title or 'sound'}: {self.facts()}>"}


class Playlist:
    """A table of players for `{title: samples}`, to compare by ear, all at their own level; errors as `Sound`.

    Length, peak and loudness stand beside each, but for `facts=False`: in a blind comparison a peak tells which is
    which.
    """

    def __init__(
        self, sounds: Mapping[str, FloatArray], sample_rate: int, small: bool = False, facts: bool = True
    ) -> None:
        self.sounds = [Sound(samples, sample_rate, title, small) for title, samples in sounds.items()]
        self.facts = facts

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        rows, lines = "", []
        for sound in self.sounds:
            facts = sound.facts() if self.facts else ""
            rows += f"<tr><th style='text-align:left'>{html.escape(sound.title)}</th><td>{sound.player()}</td>"
            rows += f"<td style='text-align:left'>{html.escape(facts)}</td></tr>"
            lines.append(f"<{sound.title}: {facts}>" if facts else f"<{sound.title}>")
        return {"text/html": f"<table>{rows}</table>", "text/plain": "\n".join(lines)}


def explore(
    render: Callable[..., tuple[Picture, Sound]], /, interactive: bool, **controls: tuple[float, float, float]
) -> None:
    """Show the figure and the sound that `render(**values)` gives back, and again whenever a slider moves.

    `controls` are `(value, lowest, highest)` for each argument; a rate (`..._hz`) moves on a logarithm. Without
    `interactive` the initial values are drawn once, without sliders: for runs without a browser. The sound starts by
    itself after a change only where "play on change" is ticked. An error in `render` is shown in red and raised as
    well, so that no run hides it.
    """
    if not interactive:
        display(*render(**{name: value for name, (value, _low, _high) in controls.items()}))
        return
    sliders = {name: _slider(name, *given) for name, given in controls.items()}
    drawn, played = ipywidgets.HTML(layout={"flex": "1 1 24em"}), ipywidgets.HTML()
    at_once = ipywidgets.Checkbox(description="play on change", indent=False)

    def update(_change: Any = None) -> None:
        try:
            figure, sound = render(**{name: slider.value for name, slider in sliders.items()})
        except Exception as error:
            played.value = said(f"{type(error).__name__}: {error}", wrong=True)
            raise
        drawn.value = figure.html("max-width:100%;max-height:50vh", NAME_SLIDERS)
        played.value = sound.captioned(at_once.value)

    update()
    for slider in sliders.values():
        slider.observe(update, names="value")
    beside = ipywidgets.VBox([*sliders.values(), at_once, played], layout={"flex": "0 0 26em"})
    display(ipywidgets.HBox([beside, drawn], layout={"flex_flow": "row wrap"}))


def _slider(name: str, value: float, low: float, high: float) -> ipywidgets.FloatSlider | ipywidgets.FloatLogSlider:
    label = name.removesuffix("_hz").replace("_", " ") + (" (Hz)" if name.endswith("_hz") else "")
    about: dict[str, Any] = {"description": label, "tooltip": label, "continuous_update": False, "value": value}
    about["style"] = {"description_width": "initial"}
    kind = ipywidgets.FloatSlider
    if name.endswith("_hz"):
        kind, low, high, about["readout_format"] = ipywidgets.FloatLogSlider, math.log10(low), math.log10(high), ".3g"
    return kind(min=low, max=high, step=(high - low) / 100, **about)


def said(text: str, wrong: bool = False) -> str:
    """Text as HTML that a screen reader tells when it changes; what is `wrong` in the red of JupyterLab's theme."""
    about = 'role="alert" style="color:var(--jp-error-color1, #B00020)"' if wrong else 'role="status"'
    return f"<div {about}>{html.escape(text)}</div>"
