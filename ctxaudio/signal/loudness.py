"""Loudness and true peak by ITU-R BS.1770-4, block by block, and the one gain that sets both.

A meter keeps a few numbers per 0.1 s, so that a night of sound is measured in the memory of a second. A gain changes
every level alike, so the loudness after it (gates included) follows from the same numbers: nothing is filtered twice.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyloudnorm
import scipy.signal
import soxr

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray

BLOCK_S = 0.4
BLOCKS_OVERLAP = 4  # 75 %: each block of 0.4 s is four sub-blocks, and the next begins one sub-block later
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0
OFFSET_LUFS = -0.691  # BS.1770-4 equation 2: makes a 997 Hz tone at full scale read -3.01
NEGLIGIBLE_STATE = 1e-30

OVERSAMPLING = 4
REACH = 128  # so many samples to either side decide what lies between two
PIECE_SAMPLES = 16384  # what the processor's cache holds
#: The sound is zero before its start and after its end (BS.1770-4 annex 2).
SILENCE: FloatArray = np.zeros(2 * REACH, np.float32)


@dataclass(frozen=True)
class LoudnessGain:
    """One linear gain, and the loudness (LUFS) and true peak (dBTP) that the sound has with it."""

    factor: float
    lufs: float
    true_peak_db: float

    def applied_to(self, samples: FloatArray) -> FloatArray:
        return np.asarray(samples * np.float32(self.factor), dtype=np.float32)


class LevelMeter:
    """Integrated loudness, true peak and gain of a sound of 1 or 2 channels: give or `add` its blocks, then ask.

    `peaks` False measures the loudness alone.
    """

    def __init__(
        self, sample_rate: int, channels: int = 1, peaks: bool = True, blocks: Iterable[FloatArray] = ()
    ) -> None:
        self.sample_rate, self.frames = sample_rate, 0
        self._peaks = [(0.0, SILENCE)] * channels if peaks else []
        # De Man's filters follow the standard's K-weighting to 0.01 dB at 48 kHz
        stages = pyloudnorm.Meter(sample_rate, filter_class="DeMan")._filters.values()
        self._sections = np.array([[*stage.b, *stage.a] for stage in stages])
        self._state = np.zeros((len(self._sections), channels, 2))
        self._energies = array("d")  # of each 0.1 s, all channels summed; the last may be still open
        for block in blocks:
            self.add(block)

    @property
    def true_peak_db(self) -> float:
        return _true_peak_db(self._peaks)

    def add(self, block: FloatArray) -> None:
        """Take the next `block`, `[T]` or `[channels, T]`, of any length; `CtxAudioError` if it is not finite."""
        rows = _rows(block)
        with ThreadPoolExecutor(max(1, len(self._peaks))) as pool:  # filters leave the interpreter to other threads
            peaks = pool.map(_peak_after, self._peaks, rows)
            for start in range(0, rows.shape[1], self.sample_rate):
                self._add_energy(rows[:, start : start + self.sample_rate])
            self._peaks = list(peaks)

    def _add_energy(self, piece: FloatArray) -> None:
        weighted, state = scipy.signal.sosfilt(self._sections, piece, zi=self._state)
        # In silence the state would decay into denormal numbers, which cost 25 times the time.
        self._state = np.where(np.abs(state) < NEGLIGIBLE_STATE, 0.0, state)
        power = np.square(weighted, out=weighted).sum(axis=0)
        # the k-th sub-block runs from k sample_rate // 10 to the next
        ends = (self.frames, self.frames + piece.shape[1] - 1)
        first, last = ((10 * (frame + 1) - 1) // self.sample_rate for frame in ends)
        borders = np.arange(first + 1, last + 1) * self.sample_rate // 10 - self.frames
        sums = np.add.reduceat(power, [0, *borders])
        if len(self._energies) == first:
            self._energies.append(0.0)
        self._energies[first] += sums[0]
        self._energies.extend(sums[1:])
        self.frames += piece.shape[1]

    def integrated_lufs(self, gain_db: float = 0.0) -> float:
        """Gated loudness of all blocks so far in LUFS, as it would be after a gain of `gain_db`.

        `-inf` where no block of 0.4 s passes the absolute gate at -70 LUFS. As in pyloudnorm, a last block that
        lacks up to 0.05 s counts. Raises `CtxAudioError` for under 0.4 s of sound.
        """
        seconds = self.frames / self.sample_rate
        if self.frames < BLOCK_S * self.sample_rate:
            raise CtxAudioError(f"loudness needs at least {BLOCK_S} s of sound (one block), not {seconds:.3f} s")
        count = int(np.round((seconds - BLOCK_S) / (BLOCK_S / BLOCKS_OVERLAP)) + 1)
        energies = np.array(self._energies)
        power = np.sum([energies[k : k + count] for k in range(BLOCKS_OVERLAP)], axis=0)
        power *= 10.0 ** (gain_db / 10.0) / (BLOCK_S * self.sample_rate)
        power = power[power >= 10.0 ** ((ABSOLUTE_GATE_LUFS - OFFSET_LUFS) / 10.0)]
        if not len(power):
            return -np.inf
        power = power[power > power.mean() * 10.0 ** (RELATIVE_GATE_LU / 10.0)]
        return float(OFFSET_LUFS + 10.0 * np.log10(power.mean()))

    def unchanged(self) -> LoudnessGain:
        """A gain of 1, with the levels as they are; the loudness of under 0.4 s is not a number."""
        long_enough = self.frames >= BLOCK_S * self.sample_rate
        return LoudnessGain(1.0, self.integrated_lufs() if long_enough else np.nan, self.true_peak_db)

    def gain_to(self, lufs: float = -27.0, true_peak_db: float = -6.0) -> LoudnessGain:
        """The gain to `lufs`, or less where the true peak would pass `true_peak_db` (dBTP).

        Raises `CtxAudioError` for a silent sound (below -70 LUFS throughout) and for one under 0.4 s.
        """
        if self.integrated_lufs() == -np.inf:
            raise CtxAudioError("can't set the loudness of silence (nothing above -70 LUFS)")
        peak_db = self.true_peak_db
        # From full scale: in a quiet sound the gate at -70 LUFS would hide parts that count once it is louder.
        # A few steps, since such parts may pass the gate, or fall below it, with each change of the gain.
        gain_db = -peak_db
        for _ in range(4):
            reached = self.integrated_lufs(gain_db)
            if abs(lufs - reached) < 1e-4 or reached == -np.inf:
                break
            gain_db += lufs - reached
        factor = float(np.float32(10.0 ** (min(gain_db, true_peak_db - peak_db) / 20.0)))  # as the samples will see it
        gain_db = float(20.0 * np.log10(factor))
        return LoudnessGain(factor, self.integrated_lufs(gain_db), peak_db + gain_db)


def true_peak_db(samples: FloatArray) -> float:
    """True peak of `samples` (`[T]` or stereo `[2, T]`) in dBTP, `-inf` for silence.

    Raises `CtxAudioError` for samples of more than two channels or not finite.
    """
    return _true_peak_db([_peak_after((0.0, SILENCE), row) for row in _rows(samples)])


def integrated_lufs(samples: FloatArray, sample_rate: int) -> float:
    """Integrated loudness of `samples` (`[T]` or stereo `[2, T]`) in LUFS, gated; as `LevelMeter.integrated_lufs`.

    Raises `CtxAudioError` for samples under 0.4 s, of more than two channels, or not finite.
    """
    return LevelMeter(sample_rate, len(np.atleast_2d(samples)), peaks=False, blocks=[samples]).integrated_lufs()


def loudness_of(blocks: Iterable[FloatArray], sample_rate: int, channels: int, name: object) -> float:
    """Integrated loudness in LUFS of a sound in blocks; `CtxAudioError`, which names it, where it is silent."""
    if (lufs := LevelMeter(sample_rate, channels, peaks=False, blocks=blocks).integrated_lufs()) == -np.inf:
        raise CtxAudioError(f"{name} is silent (nothing above -70 LUFS): choose another recording or condition")
    return lufs


def set_loudness(
    samples: FloatArray, sample_rate: int, lufs: float = -27.0, true_peak_db: float = -6.0
) -> tuple[FloatArray, float]:
    """`samples` (`[T]` or stereo `[2, T]`) by one gain to `lufs`, or less where the true peak would be too high; and
    the loudness that they then have. Errors as `integrated_lufs`, and `CtxAudioError` for silence.
    """
    gain = LevelMeter(sample_rate, len(np.atleast_2d(samples)), blocks=[samples]).gain_to(lufs, true_peak_db)
    return gain.applied_to(samples), gain.lufs


def equally_loud(sounds: Sequence[FloatArray], sample_rate: int) -> tuple[list[FloatArray], float]:
    """`sounds` (`[T]` or `[2, T]` each) by one gain each to the same loudness, and that in LUFS: as `set_loudness`,
    or as quiet as the one whose true peak holds it back most. Of two sounds the louder one seems the better.
    """
    softest = min(set_loudness(samples, sample_rate)[1] for samples in sounds)
    return [set_loudness(samples, sample_rate, softest)[0] for samples in sounds], softest


def _peak_after(before: tuple[float, FloatArray], row: FloatArray) -> tuple[float, FloatArray]:
    """The highest point so far of one channel, between its samples too, and its last samples, once `row` has come."""
    highest, last = before
    for start in range(0, len(row), PIECE_SAMPLES):
        piece = np.concatenate([last, row[start : start + PIECE_SAMPLES]], dtype=np.float32)
        # what lies nearer than REACH to an end of the piece lacks neighbours there
        between = soxr.resample(piece, 1, OVERSAMPLING)[OVERSAMPLING * REACH : -OVERSAMPLING * REACH]
        highest = max(highest, float(np.abs(piece).max()), float(np.abs(between).max(initial=0.0)))
        last = piece[-2 * REACH :]
    return highest, last


def _true_peak_db(peaks: Sequence[tuple[float, FloatArray]]) -> float:
    highest = max(_peak_after(peak, SILENCE)[0] for peak in peaks)
    return float(20.0 * np.log10(highest)) if highest > 0.0 else -np.inf


def _rows(samples: FloatArray) -> FloatArray:
    """`samples` as `[channels, T]`."""
    rows = np.atleast_2d(samples)
    if rows.ndim != 2 or len(rows) > 2:
        raise CtxAudioError(f"expected samples [T] or stereo [2, T], not an array of shape {samples.shape}")
    if not np.isfinite(rows).all():
        raise CtxAudioError("can't measure the loudness of samples that hold NaN or infinity")
    return rows
