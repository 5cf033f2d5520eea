"""Recipes of the embedded corpus for what is struck, plucked, sung or sustained: birds, bells, strings, drums."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from ctxaudio.data.synthesis import (
    SAMPLE_RATE,
    Rng,
    Samples,
    add_at,
    at_level,
    band_noise,
    fade,
    glide,
    harmonics,
    impulses_at,
    log_uniform,
    modes,
    octave_noise,
    plucked,
    ring,
    room,
    slow_curve,
)

PENTATONIC = (0, 2, 4, 7, 9)


def chirps(rng: Rng, length: int) -> Samples:
    """Birdsong: phrases of short whistled sweeps, each bird repeating a few syllables of its own."""
    total = np.zeros(length)
    for bird in range(int(rng.integers(1, 4))):
        home_hz, loudness = log_uniform(rng, 2600, 5200), 1.0 if bird == 0 else rng.uniform(0.1, 0.4)
        syllables = []
        for _ in range(int(rng.integers(2, 4))):
            x = np.linspace(0, 1, int(rng.uniform(0.04, 0.13) * SAMPLE_RATE))
            bend = rng.uniform(-0.35, 0.35) * (x - 0.5) + rng.uniform(-0.3, 0.3) * np.sin(np.pi * x)
            trill = rng.choice([0.0, 0.05]) * np.sin(2 * np.pi * rng.uniform(2, 6) * x)
            pitch_hz = np.clip(home_hz * rng.uniform(0.8, 1.25) * np.exp(bend + trill), 1500, 9000)
            syllables.append(np.hanning(x.size) ** 0.6 * harmonics(glide(pitch_hz), (1.0, 0.12, 0.04)))
        now = rng.uniform(0.0, 0.6)
        while now < length / SAMPLE_RATE:
            gap_s = rng.uniform(0.02, 0.07)
            for syllable in [syllables[rng.integers(len(syllables))]] * int(rng.integers(2, 6)):
                add_at(total, now, loudness * rng.uniform(0.7, 1.0) * syllable)
                now += syllable.size / SAMPLE_RATE + gap_s
            now += rng.exponential(0.3) if rng.random() < 0.7 else rng.uniform(0.4, 0.9)
    garden = octave_noise(rng, length, (-14, -8, -8, -10, -14, -18, -20, -22, -28, -40))
    return room(rng, total, rng.uniform(0.5, 1.2), 0.2) + 0.01 * garden


def gong(rng: Rng, length: int) -> Samples:
    """A low strike whose dense inharmonic modes bloom upwards and then fade for many seconds."""
    base_hz = log_uniform(rng, 60, 160)
    seconds = np.arange(length) / SAMPLE_RATE
    blow = impulses_at([0.05], [1.0], length)
    low = modes(rng, blow, base_hz, (1.0, 1.52, 2.0, 2.47, 3.01, 3.56), rng.uniform(8, 16), 0.3, 1.2)
    ratios = np.sort(rng.uniform(4, 30, 30))
    shimmer = modes(rng, blow, base_hz, ratios, rng.uniform(5, 9), 0.25, 2.5) * (
        1 - np.exp(-seconds / rng.uniform(0.1, 0.4))
    )
    thump = ring(blow, 0.8 * base_hz, 0.25)
    return at_level(low, 1.0) + at_level(shimmer, rng.uniform(0.8, 1.6)) + at_level(thump, 0.15)


def rung(rng: Rng, length: int, base_hz: float, decay_s: float, period_s: float) -> Samples:
    """A bell with the classic partials (hum, prime, tierce, quint, nominal, ...), struck every `period_s`."""
    ratios = np.array((0.5, 1.0, 1.183, 1.506, 2.0, 2.514, 2.662, 3.011, 4.166, 5.433, 6.796)) * rng.normal(
        1.0, 0.006, 11
    )
    times_s = np.arange(0.05, length / SAMPLE_RATE, period_s)
    blows = impulses_at(times_s, rng.uniform(0.75, 1.0, times_s.size), length)
    clang = (
        band_noise(rng, int(0.015 * SAMPLE_RATE), 2.0 * base_hz, 8.0 * base_hz)
        * np.hanning(int(0.03 * SAMPLE_RATE))[-int(0.015 * SAMPLE_RATE) :]
    )
    total = modes(rng, blows, base_hz, ratios, decay_s, 0.3, 0.004 * base_hz, tilt=-0.2)
    for time_s in times_s:
        add_at(total, time_s, 0.15 * np.abs(total).max() * clang / np.abs(clang).max())
    return total


def bell(rng: Rng, length: int) -> Samples:
    return rung(rng, length, log_uniform(rng, 450, 1300), rng.uniform(2.0, 5.0), rng.uniform(1.0, 3.0))


def church_bell(rng: Rng, length: int) -> Samples:
    """A large bell or two swinging in a tower."""
    base_hz, swing_s = log_uniform(rng, 220, 480), rng.uniform(1.1, 2.0)
    total = rung(rng, length, base_hz, rng.uniform(6, 12), swing_s)
    if rng.random() < 0.6:
        total += 0.6 * rung(
            rng, length, base_hz * rng.choice([0.75, 0.8, 1.2, 1.25]), rng.uniform(6, 12), swing_s * 0.87
        )
    return room(rng, total, rng.uniform(1.2, 2.2), 0.25)


def wind_chime(rng: Rng, length: int) -> Samples:
    """Five to seven free tubes (modes 1 : 2.756 : 5.404), struck in gusts."""
    root_hz, decay_s = log_uniform(rng, 1400, 2800), rng.uniform(2.0, 5.0)
    total, gust = np.zeros(length), np.exp(0.8 * slow_curve(rng, length, 0.6))
    for step in rng.choice((0, 2, 4, 7, 9, 12, 14), int(rng.integers(5, 8)), replace=False):
        count = int(rng.poisson(rng.uniform(0.5, 1.5) * length / SAMPLE_RATE)) + 1
        times_s = rng.uniform(0.0, length / SAMPLE_RATE, count)
        blows = impulses_at(times_s, rng.lognormal(0.0, 0.5, count), length) * gust
        total += modes(
            rng,
            blows,
            root_hz * 2 ** (step / 12) * rng.normal(1.0, 0.02),
            (1.0, 2.756, 5.404, 8.933),
            decay_s,
            0.6,
            1.5,
        )
    return room(rng, total, 0.8, 0.1)


def harp(rng: Rng, length: int) -> Samples:
    """Arpeggios up and down a pentatonic scale, left to ring."""
    root_hz, pace_s = log_uniform(rng, 110, 220), rng.uniform(0.16, 0.4)
    total, step, direction = np.zeros(length), int(rng.integers(0, 6)), 1
    for now in np.arange(0.05, length / SAMPLE_RATE - 0.2, pace_s):
        pitch_hz = root_hz * 2 ** (step // 5 + PENTATONIC[step % 5] / 12)
        string = plucked(pitch_hz, int(1.6 * SAMPLE_RATE), 1200 / (pitch_hz + 200), rng.uniform(0.2, 0.45), 0.3)
        add_at(total, now + rng.normal(0, 0.008), rng.uniform(0.5, 1.0) * string)
        direction = -direction if step + direction not in range(16) or rng.random() < 0.12 else direction
        step += direction * int(rng.integers(1, 3)) if 2 <= step <= 13 else direction
    return room(rng, total, 1.4, 0.2)


def electric_guitar(rng: Rng, length: int) -> Samples:
    """Power chords or a riff on steel strings, pushed into a soft clip and through a speaker cabinet."""
    root_hz, beat_s, drive = 82.4 * 2 ** (rng.integers(0, 8) / 12), rng.uniform(0.25, 0.6), log_uniform(rng, 4, 60)
    chord, total = ((0, 7, 12) if rng.random() < 0.6 else (0,)), np.zeros(length)
    for now in np.arange(0.05, length / SAMPLE_RATE - 0.1, beat_s):
        step, lasts = rng.choice((0, 0, 3, 5, 7, 10)), int(min(1.5, 2 * beat_s) * SAMPLE_RATE)
        for note in chord:
            string = plucked(root_hz * 2 ** ((step + note) / 12), lasts, rng.uniform(2.0, 4.0), 0.17, 0.2)
            add_at(total, now + 0.006 * note / 7, string * fade(lasts, 0.001, 0.08))
    clipped = np.tanh(drive * total / np.abs(total).max())
    cabinet = sosfilt(butter(2, (90, 4200), "bandpass", fs=SAMPLE_RATE, output="sos"), clipped)
    return room(rng, cabinet, 0.5, 0.12)


def organ(rng: Rng, length: int) -> Samples:
    """Pipes: slow chords of steady harmonics, with the breath of the wind chest and a church behind."""
    root_hz, chord_s = log_uniform(rng, 110, 260), rng.uniform(1.2, 2.5)
    stops = np.zeros(16)
    stops[[0, 1, 2, 3, 5, 7, 9, 11, 15]] = rng.uniform(0.1, 1.0, 9) * np.array(
        (1, 0.8, 0.5, 0.6, 0.3, 0.35, 0.12, 0.12, 0.15)
    )
    total = np.zeros(length)
    for now in np.arange(0.0, length / SAMPLE_RATE, chord_s):
        step, size = int(rng.choice((0, 5, 7, -3, 2))), int((chord_s + 0.05) * SAMPLE_RATE)
        for note in (-12, 0, int(rng.choice((3, 4))), 7, 12):
            pitch_hz = root_hz * 2 ** ((step + note) / 12) * rng.normal(1.0, 0.0008)
            pipe = harmonics(glide(np.full(size, pitch_hz)) + rng.random(), stops)
            add_at(total, now, pipe * fade(size, 0.04, 0.06))
    wind = band_noise(rng, length, 800, 5000, 9.0)
    return room(rng, total + 0.015 * wind * np.abs(total).max(), 2.0, 0.35)


def bowed_string(rng: Rng, length: int) -> Samples:
    """A violin, viola or cello: a sawtooth of harmonics with vibrato, bow noise and the resonances of a body."""
    root_hz, total, now = log_uniform(rng, 90, 400), np.zeros(length), 0.0
    gains = rng.uniform(0.5, 1.5, 30) / np.arange(1, 31) ** rng.uniform(0.6, 0.9)
    while now < length / SAMPLE_RATE:
        size = int(rng.uniform(0.5, 1.5) * SAMPLE_RATE)
        seconds = np.arange(size) / SAMPLE_RATE
        pitch_hz = root_hz * 2 ** (rng.choice((0, 2, 3, 5, 7, 8, 12)) / 12)
        vibrato = 0.008 * np.clip(seconds / 0.3, 0, 1) * np.sin(2 * np.pi * rng.uniform(5, 6.3) * seconds)
        bowed = harmonics(glide(pitch_hz * (1 + vibrato + 0.002 * slow_curve(rng, size, 12.0))), gains)
        bow = 0.25 * band_noise(rng, size, 1500, 7000, 9.0) * (1 + 0.5 * slow_curve(rng, size, 30.0))
        add_at(total, now, (bowed + bow) * (1 + 0.12 * slow_curve(rng, size, 5.0)) * fade(size, 0.07, 0.1))
        now += size / SAMPLE_RATE - 0.08
    body = sum(ring(total, hz * rng.uniform(0.93, 1.07), 0.02) for hz in (280, 460, 650, 1000, 2500, 3200))
    return room(rng, at_level(total, 0.6) + at_level(np.asarray(body), 1.0), 0.8, 0.15)


def kick_hit(rng: Rng) -> Samples:
    """A falling sine with a click of the beater."""
    seconds = np.arange(int(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
    end_hz, drop_hz = rng.uniform(45, 65), rng.uniform(60, 160)
    body = np.sin(2 * np.pi * glide(end_hz + drop_hz * np.exp(-seconds / 0.025))) * np.exp(
        -seconds / rng.uniform(0.08, 0.18)
    )
    click = band_noise(rng, seconds.size, 800, 4000) * np.exp(-seconds / 0.004)
    return body + rng.uniform(0.05, 0.15) * click


def snare_hit(rng: Rng) -> Samples:
    """Two modes of the head and the rattle of the wires."""
    seconds = np.arange(int(0.4 * SAMPLE_RATE)) / SAMPLE_RATE
    blow = impulses_at([0.0], [1.0], seconds.size)
    head_hz = rng.uniform(165, 230)
    head = ring(blow, head_hz, 0.25) + 0.6 * ring(blow, 1.65 * head_hz, 0.18)
    wires = band_noise(rng, seconds.size, 1500, 9000, 9.0) * np.exp(-seconds / rng.uniform(0.04, 0.09))
    return head / np.abs(head).max() * 0.6 + rng.uniform(0.25, 0.45) * wires


def hat_hit(rng: Rng, open_s: float) -> Samples:
    """Six inharmonic metal tones and noise above 6 kHz, damped in `open_s`."""
    seconds = np.arange(int(max(0.1, 4 * open_s) * SAMPLE_RATE)) / SAMPLE_RATE
    tones = np.sign(np.sin(2 * np.pi * np.outer(rng.uniform(3000, 9000, 6), seconds))).sum(axis=0) / 6
    noise = band_noise(rng, seconds.size, 6500, 13000, 30.0)
    bright = np.diff(tones, prepend=0.0) * 0.5 + 0.5 * noise
    return bright * np.exp(-seconds / open_s)


def tabla_hits(rng: Rng) -> tuple[Samples, Samples, Samples]:
    """Na (a ringing, nearly harmonic head), tin (the same, damped differently) and ge (a bass that bends upwards)."""
    seconds = np.arange(int(0.9 * SAMPLE_RATE)) / SAMPLE_RATE
    blow, pitch_hz = impulses_at([0.0], [1.0], seconds.size), rng.uniform(240, 360)
    slap = band_noise(rng, seconds.size, 1000, 6000) * np.exp(-seconds / 0.004)
    high = [
        sum(gain * ring(blow, pitch_hz * order, 0.9 / order**0.6) for order, gain in enumerate(gains, 1))
        for gains in ((0.2, 1.0, 0.8, 0.4, 0.25), (1.0, 0.5, 0.15, 0.1, 0.05))
    ]
    bend_hz = rng.uniform(70, 95) * (1 + 0.35 * (1 - np.exp(-seconds / 0.12)))
    ge = np.sin(2 * np.pi * glide(bend_hz)) * np.exp(-seconds / 0.22)
    na, tin = (at_level(np.asarray(tone), 0.15) + 0.15 * slap for tone in high)
    return na, tin, 0.6 * ge + 0.08 * slap


def beats(rng: Rng, length: int) -> Samples:
    """Times in seconds of the sixteenths that fill the clip, at 90 to 140 beats a minute."""
    return np.arange(0.03, length / SAMPLE_RATE - 0.1, 15 / rng.uniform(90, 140))


def pattern(rng: Rng, times_s: Samples, length: int, hit: Samples, chances: tuple[float, ...]) -> Samples:
    """Play `hit` on the sixteenths of `times_s`, step n of the bar with probability `chances[n]` (cycled)."""
    total = np.zeros(length)
    for n, time_s in enumerate(times_s):
        if rng.random() < chances[n % len(chances)]:
            add_at(total, time_s, rng.uniform(0.7, 1.0) * hit)
    return total


def bass_drum(rng: Rng, length: int) -> Samples:
    return room(rng, pattern(rng, beats(rng, length), length, kick_hit(rng), (1, 0, 0, 0.1)), 0.3, 0.05)


def snare_drum(rng: Rng, length: int) -> Samples:
    chances = (1, 0.1, 0.4, 0.2) if rng.random() < 0.5 else (0, 0, 0, 0, 1, 0, 0, 0.15)
    return room(rng, pattern(rng, beats(rng, length), length, snare_hit(rng), chances), 0.5, 0.15)


def hi_hat(rng: Rng, length: int) -> Samples:
    times_s, closed_s = beats(rng, length), log_uniform(rng, 0.02, 0.05)
    closed = pattern(rng, times_s, length, hat_hit(rng, closed_s), (1, 0.3, 0.9, 0.3))
    return closed + pattern(rng, times_s, length, hat_hit(rng, rng.uniform(0.12, 0.25)), (0, 0, 0.15, 0))


def drum_kit(rng: Rng, length: int) -> Samples:
    """Bass drum on one and three, snare on two and four, hi-hat on eighths."""
    times_s = beats(rng, length)
    kick = pattern(rng, times_s, length, kick_hit(rng), (1, 0, 0, 0.15, 0, 0, 0.3, 0.1, 1, 0, 0.4, 0, 0, 0, 0.2, 0))
    snare = pattern(rng, times_s, length, snare_hit(rng), (0, 0, 0, 0, 1, 0, 0, 0.15))
    hat = pattern(rng, times_s, length, hat_hit(rng, log_uniform(rng, 0.02, 0.07)), (1, 0.15, 0.95, 0.15))
    return room(rng, kick + 0.8 * snare + 0.35 * hat, 0.4, 0.1)


def tabla(rng: Rng, length: int) -> Samples:
    times_s = beats(rng, length)
    na, tin, ge = tabla_hits(rng)
    total = pattern(rng, times_s, length, na, (0.9, 0.1, 0.5, 0.2)) + pattern(
        rng, times_s, length, tin, (0.1, 0.4, 0.2, 0.4)
    )
    return room(rng, total + pattern(rng, times_s, length, ge, (0.9, 0, 0.1, 0.1, 0.2, 0, 0.4, 0)), 0.4, 0.1)


NOTES = {
    "Chirp_and_tweet": chirps,
    "Gong": gong,
    "Bell": bell,
    "Church_bell": church_bell,
    "Wind_chime": wind_chime,
    "Harp": harp,
    "Electric_guitar": electric_guitar,
    "Organ": organ,
    "Bowed_string_instrument": bowed_string,
    "Drum_kit": drum_kit,
    "Snare_drum": snare_drum,
    "Bass_drum": bass_drum,
    "Hi-hat": hi_hat,
    "Tabla": tabla,
}
