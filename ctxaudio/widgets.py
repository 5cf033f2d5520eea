"""Listening and turning knobs in notebooks: players that keep the level, and controls that can't stall a run.

Controls are wired with `observe` to an image and a text widget. The usual ways (`interact`, `Output`) can hang
nbclient and papermill (jupyter/nbconvert#2029) and hide errors from them. Needs the `notebooks` extra (ipywidgets).
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np
import soundfile
from matplotlib.figure import Figure

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.loudness import BLOCK_S, integrated_lufs

MimeBundle = dict[str, Any]
STEPS = 100
_UNITS = {"hz": "Hz", "db": "dB", "s": "s", "lufs": "LUFS"}


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound that plays in a notebook at the level it has. `samples` `[T]` or `[2, T]` in -1..1; made by `play`."""

    samples: FloatArray
    sample_rate: int
    title: str

    def line(self) -> str:
        """The sound in words: `<Rain: 4.00 s at 22050 Hz, peak -6.0 dBFS, -27.0 LUFS>`."""
        return f"<{self.title or 'sound'}: {self.facts()}>"

    def facts(self) -> str:
        """Length, sample rate, peak of the samples and loudness (of the mono mix)."""
        duration_s = self.samples.shape[-1] / self.sample_rate
        peak = float(np.abs(self.samples).max())
        if peak == 0.0:
            level = "silent"
        elif duration_s < BLOCK_S:
            level = f"peak {_decibels(peak):.1f} dBFS, too short for LUFS"
        else:
            mono = self.samples if self.samples.ndim == 1 else self.samples.mean(axis=0)
            level = f"peak {_decibels(peak):.1f} dBFS, {integrated_lufs(mono, self.sample_rate):.1f} LUFS"
        return f"{duration_s:.2f} s at {self.sample_rate} Hz, {level}"

    def wav(self) -> bytes:
        """The bytes of a 16-bit WAV file."""
        stream = io.BytesIO()
        soundfile.write(stream, self.samples.T, self.sample_rate, format="WAV", subtype="PCM_16")
        return stream.getvalue()

    def player(self) -> str:
        """An HTML `<audio>` element that holds the whole sound."""
        name = html.escape(self.title or "sound", quote=True)
        data = base64.b64encode(self.wav()).decode("ascii")
        return f'<audio controls preload="auto" aria-label="{name}" src="data:audio/wav;base64,{data}"></audio>'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> MimeBundle:
        return {"text/html": _captioned(self), "text/plain": self.line()}


@dataclass(frozen=True, eq=False)
class Playlist:
    """Sounds one below the other, to compare by ear; made by `playlist`."""

    sounds: tuple[Sound, ...]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> MimeBundle:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(sound.title)}</th><td>{sound.player()}</td>"
            f"<td style='text-align:left'>{html.escape(sound.facts())}</td></tr>"
            for sound in self.sounds
        )
        return {"text/html": f"<table>{rows}</table>", "text/plain": "\n".join(sound.line() for sound in self.sounds)}


@dataclass(frozen=True, eq=False)
class Rendering:
    """What `render` gave back: a figure, a sound or both, shown without any widget."""

    figure: Figure | None
    sound: Sound | None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[MimeBundle, MimeBundle]:
        alt = _alt(self.figure)
        bundle: MimeBundle = {}
        lines, parts = [], []
        if self.figure is not None:
            bundle["image/png"] = _png(self.figure)
            picture = base64.b64encode(bundle["image/png"]).decode("ascii")
            parts.append(f'<img alt="{html.escape(alt, quote=True)}" src="data:image/png;base64,{picture}">')
            lines.append(f"<figure: {alt}>")
        if self.sound is not None:
            parts.append(_captioned(self.sound))
            lines.append(self.sound.line())
            # Front ends show HTML rather than PNG, so it has to hold both; without sound the PNG alone will do.
            bundle["text/html"] = "<br>".join(parts)
        return {**bundle, "text/plain": "\n".join(lines)}, {"image/png": {"alt": alt}} if self.figure else {}


def play(samples: FloatArray, sample_rate: int, title: str = "") -> Sound:
    """A player for `samples` (`[T]` or `[2, T]`, in -1..1), at their own level: nothing is normalised.

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
    return Sound(samples, sample_rate, title)


def playlist(sounds: Mapping[str, FloatArray], sample_rate: int) -> Playlist:
    """A table of players for `{title: samples}`, all at their own level; errors as `play`."""
    return Playlist(tuple(play(samples, sample_rate, title) for title, samples in sounds.items()))


def explore(
    render: Callable[..., Figure | Sound | tuple[Figure, Sound]], /, interactive: bool, **controls: Any
) -> ipywidgets.VBox | Rendering:
    """Show what `render(**values)` gives back, and again whenever a control moves.

    Args:
        render: takes one keyword per control; returns a figure, a sound (`play`) or both as `(figure, sound)`.
        interactive: False draws once, with the initial values and no widget: for runs without a browser.
        controls: for each argument an ipywidgets control, or `(value, min, max)` for a slider: of whole
            numbers if all three are.

    An error in `render` is shown in red below the controls and raised as well, so that no run hides it.
    Raises `CtxAudioError` for a control or a return value of another kind.
    """
    widgets = {name: _control(name, given) for name, given in controls.items()}

    def values() -> dict[str, Any]:
        return {name: widget.value for name, widget in widgets.items()}

    first = _rendering(render(**values()))
    if not interactive:
        return first
    image = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%"))
    below = ipywidgets.HTML()

    def show(rendering: Rendering) -> None:
        image.layout.display = "none" if rendering.figure is None else None
        if rendering.figure is not None:
            image.value = _png(rendering.figure)
        below.value = "" if rendering.sound is None else _captioned(rendering.sound)

    def update(_change: Any) -> None:
        try:
            show(_rendering(render(**values())))
        except Exception as error:
            below.value = f"<pre style='color:#B00020'>{html.escape(f'{type(error).__name__}: {error}')}</pre>"
            raise

    show(first)
    for widget in widgets.values():
        widget.observe(update, names="value")
    return ipywidgets.VBox([*widgets.values(), image, below])


def _control(name: str, given: Any) -> Any:
    widget = _slider(name, given) if isinstance(given, tuple) else given
    if not isinstance(widget, ipywidgets.ValueWidget):
        raise CtxAudioError(f"control {name!r} must be (value, min, max) or an ipywidgets control, not {given!r}")
    if widget.has_trait("continuous_update"):
        widget.continuous_update = False
    if widget.has_trait("description") and not widget.description:
        widget.description = _described(name)
        widget.style.description_width = "initial"
    return widget


def _slider(name: str, given: tuple[Any, ...]) -> Any:
    if len(given) != 3 or not all(isinstance(number, (int, float)) for number in given):
        raise CtxAudioError(f"control {name!r} must be three numbers (value, min, max), not {given!r}")
    value, low, high = given
    if not low <= value <= high or low == high:
        raise CtxAudioError(f"control {name!r}: the value {value} must lie in {low}..{high}, and these must differ")
    if all(isinstance(number, int) for number in given):
        return ipywidgets.IntSlider(value=value, min=low, max=high)
    return ipywidgets.FloatSlider(value=value, min=low, max=high, step=(high - low) / STEPS)


def _described(name: str) -> str:
    *words, last = name.split("_")
    return f"{' '.join(words)} ({_UNITS[last]})" if words and last in _UNITS else " ".join([*words, last])


def _rendering(result: Any) -> Rendering:
    match result:
        case Figure():
            return Rendering(result, None)
        case Sound():
            return Rendering(None, result)
        case (Figure() as figure, Sound() as sound):
            return Rendering(figure, sound)
    raise CtxAudioError(f"render must return a figure, a sound or (figure, sound), not {type(result).__name__}")


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _alt(figure: Figure | None) -> str:
    return str(getattr(figure, "alt", "figure"))


def _decibels(peak: float) -> float:
    return round(float(20.0 * np.log10(peak)), 1) + 0.0  # no "-0.0" for a peak just below full scale


def _captioned(sound: Sound) -> str:
    title = f"<b>{html.escape(sound.title)}</b> " if sound.title else ""
    return f"<div>{title}<small>{html.escape(sound.facts())}</small><br>{sound.player()}</div>"
