"""How exact is what `ctxaudio modulate` writes? By method, sound and length, measured on the written files:

.venv/bin/python tests/benchmarks/exactness.py SOUND.wav ... [--minutes 60]

Each sound (and white noise) is written with and without modulation (`--lufs off`), 4 s and `--minutes` long. Of the
Hilbert envelope, "raw" is the least-squares fit of `a + b cos + c sin` at the exact rate; "own out" fits the same
times the envelope of the file without modulation, so that the sound's own fluctuation is taken out and what is left is
the modulation's error; the rate error is that fit's, with the rate free. Tones are what the two files differ by (fitted
with their harmonics). The floor is the rms depth at neighbouring rates in the sound alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.optimize
import soundfile

from ctxaudio.modulation.profile import ModulationProfile, method_profile
from ctxaudio.modulation.schedule import Modulation
from ctxaudio.render.session import Finish, modulate_file
from ctxaudio.signal.audio import audio_writer, resample
from ctxaudio.signal.envelope import Array, detect_rate, envelope_depth, hilbert_envelope

sys.path.insert(0, str(Path(__file__).parents[1]))
from pulse_depth import expected_depth

RATE = 22050
EDGE_S = 0.1
BLOCK = 8
METHODS = {
    "am 2.5 Hz m .2": method_profile("am", 2.5, 0.2),
    "am 6 Hz m .5": method_profile("am", 6.0, 0.5),
    "am 7.83 Hz m .3": method_profile("am", 7.83, 0.3),
    "am 14.1 Hz m .3": method_profile("am", 14.1, 0.3),
    "am 40 Hz m .3": method_profile("am", 40.0, 0.3),
    "isochronic 10 Hz m .5": method_profile("isochronic", 10.0, 0.5),
    "monaural 6 Hz on 250 Hz": method_profile("monaural", 6.0),
    "binaural 6 Hz on 250 Hz": method_profile("binaural", 6.0),
}


def sounds_of(paths: list[Path], minutes: float) -> dict[str, Array]:
    """`{name: [T]}` at 22.05 kHz, repeated to the length asked for; white noise does not repeat."""
    length = round(60 * minutes * RATE)
    sounds = {"noise": 0.04 * np.random.default_rng(0).standard_normal(length)}
    for path in paths:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = resample(samples.mean(1), rate, RATE)
        sounds[path.stem] = 0.04 / mono.std() * np.resize(mono, length)
    return {name: np.clip(sound, -0.5, 0.5) for name, sound in sounds.items()}


def written(source: Path, profile: ModulationProfile, folder: Path) -> Array:
    out = folder / "out.wav"
    modulate_file(source, out, Modulation(profile), Finish(lufs=None), progress=False)
    return soundfile.read(out, always_2d=True)[0].T


def fit(envelope: Array, own: Array, rate_hz: float, harmonics: int = 1) -> tuple[float, float]:
    """Depth at exactly `rate_hz`, and the rate nearby that fits best; own^2 and own * envelope are all it needs."""
    blocks = len(own) // BLOCK
    power, product = (x[: blocks * BLOCK].reshape(blocks, BLOCK).mean(1) for x in (own**2, own * envelope))
    time_s = (np.arange(blocks) + 0.5 - 0.5 / BLOCK) * BLOCK / RATE

    def solve(hz: float) -> tuple[Array, float]:
        waves = [f(2 * np.pi * k * hz * time_s) for k in range(1, harmonics + 1) for f in (np.cos, np.sin)]
        basis = np.stack([np.ones(blocks), *waves])
        right = basis @ product
        weights = np.linalg.solve((basis * power) @ basis.T, right)
        return weights, float(-weights @ right)

    away = 0.3 / time_s[-1]
    best = scipy.optimize.minimize_scalar(
        lambda offset: solve(rate_hz + away * offset)[1], bounds=(-1, 1), method="bounded", options={"xatol": 1e-4}
    )
    mean, cosine, sine, *_ = solve(rate_hz)[0]
    return float(np.hypot(cosine, sine) / mean), rate_hz + away * float(best.x)


def decibels(ratio: float) -> float:
    return float(20 * np.log10(ratio))


def row(name: str, sound: Array, profile: ModulationProfile, folder: Path) -> str:
    source = folder / "source.wav"
    with audio_writer(source, RATE, 1) as out:
        out.write(sound.astype("f4"))
    plain = written(source, ModulationProfile(), folder)[0]
    modulated = written(source, profile, folder)
    inner = slice(round(EDGE_S * RATE), -round(EDGE_S * RATE))
    own = hilbert_envelope(plain, RATE)[inner]
    if profile.tones:
        rate_hz, tone = profile.tones[0].rate_hz, modulated - plain
        floor = detect_rate(own, RATE, rate_hz).floor
        ears = [envelope_depth(hilbert_envelope(ear, RATE)[inner], RATE, rate_hz) for ear in tone]
        both = hilbert_envelope(tone.sum(0), RATE)[inner]
        depth, found = fit(both, np.ones(len(both)), rate_hz, harmonics=4)
        each = f"each ear {max(ears):.4f}; sum " if len(tone) == 2 else ""
        error_db = decibels(depth / (2 / 3))
        return f"{name} | {found - rate_hz:+.5f} | {each}{depth:.4f} for 0.6667 ({error_db:+.3f} dB) | | {floor:.3f}"
    rate = profile.rates[0]
    moved = hilbert_envelope(modulated[0], RATE)[inner]
    wanted = expected_depth(rate)
    depth = envelope_depth(moved, RATE, rate.rate_hz)
    alone, found = fit(moved, own, rate.rate_hz, harmonics=4 if rate.pulse else 1)
    floor = detect_rate(own, RATE, rate.rate_hz).floor
    return (
        f"{name} | {found - rate.rate_hz:+.5f} | {depth:.4f} for {wanted:.4f} ({decibels(depth / wanted):+.2f} dB) "
        f"| {decibels(alone / wanted):+.3f} dB | {floor:.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sounds", nargs="*", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS), help="for the long ones")
    options = parser.parse_args()
    print("method | sound | length | rate error (Hz) | depth, raw | own out | floor")
    for minutes in (4 / 60, options.minutes):
        for sound_name, sound in sounds_of(options.sounds, minutes).items():
            for method, profile in METHODS.items():
                if minutes == options.minutes and method not in options.methods:
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    length = f"{60 * minutes:g} s" if minutes < 1 else f"{minutes:g} min"
                    print(row(f"{method} | {sound_name} | {length}", sound, profile, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
