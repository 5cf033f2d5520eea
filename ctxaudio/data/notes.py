"""Recipes of the embedded corpus for what is struck, plucked, sung or sustained: birds, bells, strings, drums."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from ctxaudio.data.synthesis import SAMPLE_RATE, Samples, Sound, add_at, at_level, glide, harmonics, ring

BELL = np.array((0.5, 1.0, 1.183, 1.506, 2.0, 2.514, 2.662, 3.011, 4.166, 5.433, 6.796))  # hum, prime, tierce, ...


def chirp_and_tweet(s: Sound) -> Samples:
    """Birdsong: phrases of short whistled sweeps, each bird repeating a few syllables of its own."""
    total = np.zeros(s.length)
    for bird in range(int(s.integers(1, 4))):
        home_hz, loudness = s.log_uniform(2600, 5200), 1.0 if bird == 0 else s.uniform(0.1, 0.4)
        syllables = []
        for _ in range(int(s.integers(2, 4))):
            x = np.linspace(0, 1, int(s.uniform(0.04, 0.13) * SAMPLE_RATE))
            bend = s.uniform(-0.35, 0.35) * (x - 0.5) + s.uniform(-0.3, 0.3) * np.sin(np.pi * x)
            trill = s.rng.choice([0.0, 0.05]) * np.sin(2 * np.pi * s.uniform(2, 6) * x)
            pitch_hz = np.clip(home_hz * s.uniform(0.8, 1.25) * np.exp(bend + trill), 1500, 9000)
            syllables.append(np.hanning(x.size) ** 0.6 * harmonics(glide(pitch_hz), (1.0, 0.12, 0.04)))
        now = s.uniform(0.0, 0.6)
        while now < s.duration_s:
            gap_s = s.uniform(0.02, 0.07)
            for syllable in [syllables[s.integers(len(syllables))]] * int(s.integers(2, 6)):
                add_at(total, now, loudness * s.uniform(0.7, 1.0) * syllable)
                now += syllable.size / SAMPLE_RATE + gap_s
            now += s.rng.exponential(0.3) if s.rng.random() < 0.7 else s.uniform(0.4, 0.9)
    garden = s.octaves(-14, -8, -8, -10, -14, -18, -20, -22, -28, -40)
    return s.room(total, s.uniform(0.5, 1.2), 0.2) + 0.01 * garden


def gong(s: Sound) -> Samples:
    """A low strike whose dense inharmonic modes bloom upwards and then fade for many seconds."""
    base_hz, blow = s.log_uniform(60, 160), s.blows([0.05], [1.0])
    low = s.modes(blow, base_hz, (1.0, 1.52, 2.0, 2.47, 3.01, 3.56), s.uniform(8, 16), 0.3, 1.2, 0.3)
    shimmer = s.modes(blow, base_hz, np.sort(s.uniform(4, 30, 30)), s.uniform(5, 9), 0.25, 2.5, 0.3)
    shimmer *= 1 - np.exp(-s.seconds / s.uniform(0.1, 0.4))
    thump = ring(blow, 0.8 * base_hz, 0.25)
    return at_level(low, 1.0) + at_level(shimmer, s.uniform(0.8, 1.6)) + at_level(thump, 0.15)


def rung(s: Sound, base_hz: float, decay_s: float, period_s: float) -> Samples:
    """A bell with the classic partials, struck every `period_s`."""
    ratios, times_s = BELL * s.rng.normal(1.0, 0.006, BELL.size), np.arange(0.05, s.duration_s, period_s)
    blows, stroke = s.blows(times_s, s.uniform(0.75, 1.0, times_s.size)), s.lasting(0.015)
    clang = stroke.band(2.0 * base_hz, 8.0 * base_hz) * np.hanning(int(0.03 * SAMPLE_RATE))[-stroke.length :]
    total = s.modes(blows, base_hz, ratios, decay_s, 0.3, 0.004 * base_hz, -0.2)
    for time_s in times_s:
        add_at(total, time_s, 0.15 * np.abs(total).max() * clang / np.abs(clang).max())
    return total


def bell(s: Sound) -> Samples:
    return rung(s, s.log_uniform(450, 1300), s.uniform(2.0, 5.0), s.uniform(1.0, 3.0))


def church_bell(s: Sound) -> Samples:
    """A large bell or two swinging in a tower."""
    base_hz, swing_s = s.log_uniform(220, 480), s.uniform(1.1, 2.0)
    total = rung(s, base_hz, s.uniform(6, 12), swing_s)
    if s.rng.random() < 0.6:
        total += 0.6 * rung(s, base_hz * s.rng.choice([0.75, 0.8, 1.2, 1.25]), s.uniform(6, 12), swing_s * 0.87)
    return s.room(total, s.uniform(1.2, 2.2), 0.25)


def wind_chime(s: Sound) -> Samples:
    """Five to seven free tubes (modes 1 : 2.756 : 5.404), struck in gusts."""
    root_hz, decay_s = s.log_uniform(1400, 2800), s.uniform(2.0, 5.0)
    total, gust = np.zeros(s.length), np.exp(0.8 * s.curve(0.6))
    for step in s.rng.choice((0, 2, 4, 7, 9, 12, 14), int(s.integers(5, 8)), replace=False):
        count = int(s.rng.poisson(s.uniform(0.5, 1.5) * s.length / SAMPLE_RATE)) + 1
        blows = s.blows(s.uniform(0.0, s.duration_s, count), s.rng.lognormal(0.0, 0.5, count)) * gust
        pitch_hz = root_hz * 2 ** (step / 12) * s.rng.normal(1.0, 0.02)
        total += s.modes(blows, pitch_hz, (1.0, 2.756, 5.404, 8.933), decay_s, 0.6, 1.5, 0.3)
    return s.room(total, 0.8, 0.1)


def harp(s: Sound) -> Samples:
    """Arpeggios up and down a pentatonic scale, left to ring."""
    root_hz, pace_s, string = s.log_uniform(110, 220), s.uniform(0.16, 0.4), s.lasting(1.6)
    total, step, direction = np.zeros(s.length), int(s.integers(0, 6)), 1
    for now in np.arange(0.05, s.duration_s - 0.2, pace_s):
        pitch_hz = root_hz * 2 ** (step // 5 + (0, 2, 4, 7, 9)[step % 5] / 12)
        note = string.plucked(pitch_hz, 1200 / (pitch_hz + 200), s.uniform(0.2, 0.45), 0.3)
        add_at(total, now + s.rng.normal(0, 0.008), s.uniform(0.5, 1.0) * note)
        direction = -direction if step + direction not in range(16) or s.rng.random() < 0.12 else direction
        step += direction * int(s.integers(1, 3)) if 2 <= step <= 13 else direction
    return s.room(total, 1.4, 0.2)


def electric_guitar(s: Sound) -> Samples:
    """Power chords or a riff on steel strings, pushed into a soft clip and through a speaker cabinet."""
    root_hz, beat_s, drive = 82.4 * 2 ** (s.integers(0, 8) / 12), s.uniform(0.25, 0.6), s.log_uniform(4, 60)
    chord, total = ((0, 7, 12) if s.rng.random() < 0.6 else (0,)), np.zeros(s.length)
    string = s.lasting(min(1.5, 2 * beat_s))
    for now in np.arange(0.05, s.duration_s - 0.1, beat_s):
        step = s.rng.choice((0, 0, 3, 5, 7, 10))
        for note in chord:
            sounding = string.plucked(root_hz * 2 ** ((step + note) / 12), s.uniform(2.0, 4.0), 0.17, 0.2)
            add_at(total, now + 0.006 * note / 7, sounding * string.fade(0.001, 0.08))
    clipped = np.tanh(drive * total / np.abs(total).max())
    return s.room(sosfilt(butter(2, (90, 4200), "bandpass", fs=SAMPLE_RATE, output="sos"), clipped), 0.5, 0.12)


def organ(s: Sound) -> Samples:
    """Pipes: slow chords of steady harmonics, with the breath of the wind chest and a church behind."""
    root_hz, chord_s = s.log_uniform(110, 260), s.uniform(1.2, 2.5)
    total, stops, pipe = np.zeros(s.length), np.zeros(16), s.lasting(chord_s + 0.05)
    stops[[0, 1, 2, 3, 5, 7, 9, 11, 15]] = s.uniform(0.1, 1.0, 9) * (1, 0.8, 0.5, 0.6, 0.3, 0.35, 0.12, 0.12, 0.15)
    for now in np.arange(0.0, s.duration_s, chord_s):
        step = int(s.rng.choice((0, 5, 7, -3, 2)))
        for note in (-12, 0, int(s.rng.choice((3, 4))), 7, 12):
            pitch_hz = root_hz * 2 ** ((step + note) / 12) * s.rng.normal(1.0, 0.0008)
            tone = harmonics(glide(np.full(pipe.length, pitch_hz)) + s.rng.random(), stops)
            add_at(total, now, tone * pipe.fade(0.04, 0.06))
    return s.room(total + 0.015 * s.band(800, 5000, 9.0) * np.abs(total).max(), 2.0, 0.35)


def bowed_string_instrument(s: Sound) -> Samples:
    """A violin, viola or cello: a sawtooth of harmonics with vibrato, bow noise and the resonances of a body."""
    root_hz, total, now = s.log_uniform(90, 400), np.zeros(s.length), 0.0
    gains = s.uniform(0.5, 1.5, 30) / np.arange(1, 31) ** s.uniform(0.6, 0.9)
    while now < s.duration_s:
        note, pitch_hz = s.lasting(s.uniform(0.5, 1.5)), root_hz * 2 ** (s.rng.choice((0, 2, 3, 5, 7, 8, 12)) / 12)
        vibrato = 0.008 * np.clip(note.seconds / 0.3, 0, 1) * np.sin(2 * np.pi * s.uniform(5, 6.3) * note.seconds)
        bowed = harmonics(glide(pitch_hz * (1 + vibrato + 0.002 * note.curve(12.0))), gains)
        bow = 0.25 * note.band(1500, 7000, 9.0) * (1 + 0.5 * note.curve(30.0))
        add_at(total, now, (bowed + bow) * (1 + 0.12 * note.curve(5.0)) * note.fade(0.07, 0.1))
        now += note.length / SAMPLE_RATE - 0.08
    body = np.asarray(sum(ring(total, hz * s.uniform(0.93, 1.07), 0.02) for hz in (280, 460, 650, 1000, 2500, 3200)))
    return s.room(at_level(total, 0.6) + at_level(body, 1.0), 0.8, 0.15)


def kick_hit(s: Sound) -> Samples:
    """A falling sine with a click of the beater."""
    hit, end_hz, drop_hz = s.lasting(0.5), s.uniform(45, 65), s.uniform(60, 160)
    body = np.sin(2 * np.pi * glide(end_hz + drop_hz * np.exp(-hit.seconds / 0.025)))
    body *= np.exp(-hit.seconds / s.uniform(0.08, 0.18))
    click = hit.band(800, 4000) * np.exp(-hit.seconds / 0.004)
    return body + s.uniform(0.05, 0.15) * click


def snare_hit(s: Sound) -> Samples:
    """Two modes of the head and the rattle of the wires."""
    hit, head_hz = s.lasting(0.4), s.uniform(165, 230)
    blow = hit.blows([0.0], [1.0])
    head = ring(blow, head_hz, 0.25) + 0.6 * ring(blow, 1.65 * head_hz, 0.18)
    wires = hit.band(1500, 9000, 9.0) * np.exp(-hit.seconds / s.uniform(0.04, 0.09))
    return head / np.abs(head).max() * 0.6 + s.uniform(0.25, 0.45) * wires


def hat_hit(s: Sound, open_s: float) -> Samples:
    """Six inharmonic metal tones and noise above 6 kHz, damped in `open_s`."""
    hit = s.lasting(max(0.1, 4 * open_s))
    tones = np.sign(np.sin(2 * np.pi * np.outer(s.uniform(3000, 9000, 6), hit.seconds))).sum(axis=0) / 6
    bright = np.diff(tones, prepend=0.0) * 0.5 + 0.5 * hit.band(6500, 13000, 30.0)
    return bright * np.exp(-hit.seconds / open_s)


def groove(s: Sound, times_s: Samples, hit: Samples, *chances: float) -> Samples:
    """Play `hit` on the sixteenths of `times_s`, step n of the bar with probability `chances[n]` (cycled)."""
    total = np.zeros(s.length)
    for n, time_s in enumerate(times_s):
        if s.rng.random() < chances[n % len(chances)]:
            add_at(total, time_s, s.uniform(0.7, 1.0) * hit)
    return total


def beats(s: Sound) -> Samples:
    """Times in seconds of the sixteenths that fill the clip, at 90 to 140 beats a minute."""
    return np.arange(0.03, s.duration_s - 0.1, 15 / s.uniform(90, 140))


def drum_kit(s: Sound) -> Samples:
    """Bass drum on one and three, snare on two and four, hi-hat on eighths."""
    times_s = beats(s)
    kick = groove(s, times_s, kick_hit(s), 1, 0, 0, 0.15, 0, 0, 0.3, 0.1, 1, 0, 0.4, 0, 0, 0, 0.2, 0)
    snare = groove(s, times_s, snare_hit(s), 0, 0, 0, 0, 1, 0, 0, 0.15)
    hat = groove(s, times_s, hat_hit(s, s.log_uniform(0.02, 0.07)), 1, 0.15, 0.95, 0.15)
    return s.room(kick + 0.8 * snare + 0.35 * hat, 0.4, 0.1)


def snare_drum(s: Sound) -> Samples:
    chances = (1, 0.1, 0.4, 0.2) if s.rng.random() < 0.5 else (0, 0, 0, 0, 1, 0, 0, 0.15)
    return s.room(groove(s, beats(s), snare_hit(s), *chances), 0.5, 0.15)


def bass_drum(s: Sound) -> Samples:
    return s.room(groove(s, beats(s), kick_hit(s), 1, 0, 0, 0.1), 0.3, 0.05)


def hi_hat(s: Sound) -> Samples:
    times_s, closed_s = beats(s), s.log_uniform(0.02, 0.05)
    closed = groove(s, times_s, hat_hit(s, closed_s), 1, 0.3, 0.9, 0.3)
    return closed + groove(s, times_s, hat_hit(s, s.uniform(0.12, 0.25)), 0, 0, 0.15, 0)


def tabla(s: Sound) -> Samples:
    """Na (a ringing, nearly harmonic head), tin (the same, damped differently) and ge (a bass that bends upwards)."""
    times_s, hit = beats(s), s.lasting(0.9)
    blow, pitch_hz = hit.blows([0.0], [1.0]), s.uniform(240, 360)
    slap = hit.band(1000, 6000) * np.exp(-hit.seconds / 0.004)
    bend_hz = s.uniform(70, 95) * (1 + 0.35 * (1 - np.exp(-hit.seconds / 0.12)))
    total, na = np.zeros(s.length), ((0.2, 1.0, 0.8, 0.4, 0.25), (0.9, 0.1, 0.5, 0.2))
    tin = (1.0, 0.5, 0.15, 0.1, 0.05), (0.1, 0.4, 0.2, 0.4)
    for gains, chances in (na, tin):
        head = sum(gain * ring(blow, pitch_hz * order, 0.9 / order**0.6) for order, gain in enumerate(gains, 1))
        total += groove(s, times_s, at_level(np.asarray(head), 0.15) + 0.15 * slap, *chances)
    ge = 0.6 * np.sin(2 * np.pi * glide(bend_hz)) * np.exp(-hit.seconds / 0.22) + 0.08 * slap
    return s.room(total + groove(s, times_s, ge, 0.9, 0, 0.1, 0.1, 0.2, 0, 0.4, 0), 0.4, 0.1)
