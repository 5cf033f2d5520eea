"""Players that keep the level of a sound: one, or several one below the other.

A player holds its sound in the page, as WAV; a `small` one as MP3, about a sixth of that, which stored notebooks keep.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.audio import encode_audio
from ctxaudio.signal.loudness import BLOCK_S, integrated_lufs

WAV_TYPE, MP3_TYPE = "audio/wav", "audio/mpeg"
#: What a player does when it starts: it stops all others of the page.
STOP_OTHERS = "for (const other of document.querySelectorAll('audio')) if (other !== this) other.pause()"


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
