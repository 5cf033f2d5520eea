"""Players that keep the level of a sound: one, several one below the other, or one beside a figure that sliders change.

A player holds its sound in the page, as WAV; a `small` one as MP3, about a sixth of that, which stored notebooks keep.
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
from ctxaudio.plots.charts import Picture
from ctxaudio.signal.audio import encode_audio
from ctxaudio.signal.loudness import BLOCK_S, integrated_lufs

WAV_TYPE, MP3_TYPE = "audio/wav", "audio/mpeg"
#: What a player does when it starts: it stops all others of the page.
STOP_OTHERS = "for (const other of document.querySelectorAll('audio')) if (other !== this) other.pause()"
STEPS = 100
_UNITS = {"hz": "Hz", "db": "dB", "s": "s", "lufs": "LUFS"}
#: ipywidgets gives the handle of a slider no name for a screen reader; the label beside it is one.
NAME_SLIDERS = (
    "for (const slider of document.querySelectorAll('.widget-slider')) "
    "slider.querySelector('[role=slider]').setAttribute('aria-label', slider.querySelector('label').textContent)"
)


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound that plays in a notebook at the level it has. `samples` `[T]` or `[2, T]` in -1..1; made by `play`."""

    samples: FloatArray
    sample_rate: int
    title: str
    small: bool = False

    def line(self) -> str:
        """The sound in words: `<Rain: 4.00 s at 22050 Hz, peak -6.0 dBFS, -27.0 LUFS>`."""
        return f"<{self.title or 'sound'}: {self.facts()}>"

    def facts(self) -> str:
        """Length, sample rate, peak of the samples and loudness (of the mono mix)."""
        duration_s = self.samples.shape[-1] / self.sample_rate
        peak = float(np.abs(self.samples).max())
        level = "silent"
        if peak > 0.0:
            peak_db = round(float(20.0 * np.log10(peak)), 1) + 0.0  # no "-0.0" just below full scale
            mono = self.samples if self.samples.ndim == 1 else self.samples.mean(axis=0)
            long_enough = duration_s >= BLOCK_S
            lufs = f"{integrated_lufs(mono, self.sample_rate):.1f} LUFS" if long_enough else "too short for LUFS"
            level = f"peak {peak_db:.1f} dBFS, {lufs}"
        return f"{duration_s:.2f} s at {self.sample_rate} Hz, {level}"

    def encoded(self) -> bytes:
        """The bytes of a 16-bit WAV file; of a small sound those of an MP3, to listen to and not to measure."""
        return encode_audio(self.samples, self.sample_rate, ".mp3" if self.small else ".wav")

    def player(self, preload: str = "auto", controls: bool = True, autoplay: bool = False) -> str:
        """An HTML `<audio>` element that holds the whole sound, and stops all others of the page when it starts."""
        data = base64.b64encode(self.encoded()).decode("ascii")
        name, kind = html.escape(self.title or "sound", quote=True), MP3_TYPE if self.small else WAV_TYPE
        shown = ("controls " if controls else "") + ("autoplay " if autoplay else "")
        return (
            f'<audio {shown}preload="{preload}" onplay="{html.escape(STOP_OTHERS, quote=True)}" aria-label="{name}" '
            f'src="data:{kind};base64,{data}"></audio>'
        )

    def captioned(self, autoplay: bool = False) -> str:
        """The player below its title and facts, as HTML."""
        title = f"<b>{html.escape(self.title)}</b> " if self.title else ""
        return f"<div>{title}<small>{html.escape(self.facts())}</small><br>{self.player(autoplay=autoplay)}</div>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/html": self.captioned(), "text/plain": self.line()}


@dataclass(frozen=True, eq=False)
class Playlist:
    """Sounds one below the other, to compare by ear; made by `playlist`. Without `facts`, nothing but titles."""

    sounds: tuple[Sound, ...]
    facts: bool = True

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(sound.title)}</th><td>{sound.player()}</td>"
            f"<td style='text-align:left'>{html.escape(sound.facts()) if self.facts else ''}</td></tr>"
            for sound in self.sounds
        )
        lines = (sound.line() if self.facts else f"<{sound.title}>" for sound in self.sounds)
        return {"text/html": f"<table>{rows}</table>", "text/plain": "\n".join(lines)}


def play(samples: FloatArray, sample_rate: int, title: str = "", small: bool = False) -> Sound:
    """A player for `samples` (`[T]` or `[2, T]`, in -1..1), at their own level: nothing is normalised.

    A `small` one is compressed, and stays in a stored notebook.

    Raises `CtxAudioError` for samples outside -1..1, not finite, empty or of another shape.

    >>> play(np.zeros(8000, dtype=np.float32), 8000, "Nothing").line()
    '<Nothing: 1.00 s at 8000 Hz, silent>'
    """
    name = repr(title) if title else "the sound"
    if samples.ndim not in (1, 2) or samples.size == 0 or (samples.ndim == 2 and samples.shape[0] not in (1, 2)):
        raise CtxAudioError(f"can't play {name}: expected samples [T] or [2, T], not shape {samples.shape}")
    peak = float(np.abs(samples).max())
    if not peak <= 1.0:
        raise CtxAudioError(f"can't play {name}: peak {peak:.3g} is outside -1..1; turn it down with set_loudness")
    return Sound(samples, sample_rate, title, small)


def playlist(sounds: Mapping[str, FloatArray], sample_rate: int, small: bool = False, facts: bool = True) -> Playlist:
    """A table of players for `{title: samples}`, all at their own level; `small` and errors as in `play`.

    Length, peak and loudness stand beside each, but for `facts=False`: in a blind comparison a peak tells which is
    which.
    """
    return Playlist(tuple(play(samples, sample_rate, title, small) for title, samples in sounds.items()), facts)


Render = Callable[..., tuple[Picture, Sound]]


def explore(render: Render, /, interactive: bool, **controls: tuple[float, float, float]) -> None:
    """Show the figure and the sound that `render(**values)` gives back, and again whenever a control moves.

    Controls and player stand beside the figure, so that all are seen at once. The sound starts by itself after a change
    only where "play on change" is ticked.

    Args:
        render: takes one keyword per control; returns `(figure, sound)`.
        interactive: False draws once, with the initial values and no widget: for runs without a browser.
        controls: `(value, lowest, highest)` for each argument; a rate (`..._hz`) moves on a logarithm.

    An error in `render` is shown in red and raised as well, so that no run hides it. Raises `CtxAudioError` for a
    control that is not three numbers in order.
    """
    sliders = {name: _slider(name, given) for name, given in controls.items()}

    def rendered() -> tuple[Picture, Sound]:
        return render(**{name: slider.value for name, slider in sliders.items()})

    figure, sound = rendered()
    if not interactive:
        display(figure, sound)
        return
    drawn, played = ipywidgets.HTML(layout={"flex": "1 1 24em"}), ipywidgets.HTML()

    at_once = ipywidgets.Checkbox(description="play on change", indent=False)

    def show(figure: Picture, sound: Sound) -> None:
        drawn.value, played.value = image(figure, onload=NAME_SLIDERS), sound.captioned(at_once.value)

    def update(_change: Any) -> None:
        try:
            show(*rendered())
        except Exception as error:
            played.value = failure(f"{type(error).__name__}: {error}")
            raise

    show(figure, sound)
    for slider in sliders.values():
        slider.observe(update, names="value")
    beside = ipywidgets.VBox([*sliders.values(), at_once, played], layout={"flex": "0 0 26em"})
    display(ipywidgets.HBox([beside, drawn], layout={"flex_flow": "row wrap"}))


def said(text: str) -> str:
    """Text as HTML that a screen reader tells when it changes."""
    return f'<div role="status">{html.escape(text)}</div>'


def failure(text: str) -> str:
    """The same, in the red of JupyterLab's theme."""
    return f'<div role="alert" style="color:var(--jp-error-color1, #B00020)">{html.escape(text)}</div>'


def image(figure: Picture, highest: str = "50vh", onload: str = "") -> str:
    """The figure as an HTML image with its text, no wider than the page and no higher than half the window."""
    return figure.html(f"max-width:100%;max-height:{highest}", onload)


def _slider(name: str, given: tuple[float, float, float]) -> ipywidgets.FloatSlider | ipywidgets.FloatLogSlider:
    numbers = isinstance(given, tuple) and len(given) == 3 and all(isinstance(one, (int, float)) for one in given)
    if not numbers or not given[1] <= given[0] <= given[2] or given[1] == given[2]:
        raise CtxAudioError(f"control {name!r} must be (value, lowest, highest) in order, not {given!r}")
    value, low, high = given
    *words, last = name.split("_")
    said = f"{' '.join(words)} ({_UNITS[last]})" if words and last in _UNITS else " ".join([*words, last])
    about: dict[str, Any] = {"description": said, "tooltip": said, "continuous_update": False, "value": value}
    about["style"] = {"description_width": "initial"}
    if last == "hz" and low > 0:
        low, high = math.log10(low), math.log10(high)
        return ipywidgets.FloatLogSlider(min=low, max=high, step=(high - low) / STEPS, readout_format=".3g", **about)
    return ipywidgets.FloatSlider(min=low, max=high, step=(high - low) / STEPS, **about)
