"""Recipes of the embedded corpus for noise and impacts: water, air, fire, insects, machines, hands."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from ctxaudio.data.synthesis import (
    SAMPLE_RATE,
    Rng,
    Samples,
    add_at,
    at_level,
    band_noise,
    bubbles,
    fade,
    glide,
    harmonics,
    impulses_at,
    log_uniform,
    octave_noise,
    random_impulses,
    ring,
    room,
    shaped_noise,
    shower,
    slow_curve,
)


def rain(rng: Rng, length: int) -> Samples:
    """Single drops of random arrival, size and damped resonance, over the soft hiss of the far ones."""
    bed = octave_noise(rng, length, (-24, -16, -11, -8, -6, -4, -3, -4, -6, -14), 2.5)
    near = shower(rng, length, log_uniform(rng, 300, 2500), (900, 9000), (0.002, 0.012), 0.9)
    heavy = shower(rng, length, log_uniform(rng, 15, 90), (350, 1800), (0.01, 0.04), 0.7, kinds=8)
    swell = 1 + 0.12 * slow_curve(rng, length, 0.5)
    return at_level(bed, 1.0) * swell + at_level(near, rng.uniform(0.4, 1.0)) + at_level(heavy, rng.uniform(0.1, 0.4))


def waves(rng: Rng, length: int) -> Samples:
    """Swells that build slowly, break and run out in foam, over the roar of the shore."""
    seconds = np.arange(length) / SAMPLE_RATE
    total = 0.25 * octave_noise(rng, length, (-14, -8, -4, -2, -3, -7, -13, -20, -27, -38))
    break_s = rng.uniform(-1.5, 1.5)
    while break_s < seconds[-1] + 2.5:
        rise_s, fall_s, foam_s = rng.uniform(0.5, 1.2), rng.uniform(0.7, 1.5), rng.uniform(1.0, 2.2)
        since = seconds - break_s
        body = np.where(since < 0, np.exp(-0.5 * (since / rise_s) ** 2), np.exp(-np.maximum(since, 0) / fall_s))
        foam = np.where(
            since < 0.3, np.exp(-0.5 * ((since - 0.3) / (0.6 * rise_s)) ** 2), np.exp(-(since - 0.3) / foam_s)
        )
        size = rng.uniform(0.5, 1.0)
        total += size * body * octave_noise(rng, length, (-16, -9, -3, 0, -1, -4, -9, -16, -23, -34))
        total += size * 0.5 * foam * octave_noise(rng, length, (-50, -40, -25, -12, -5, -1, 0, -3, -8, -16))
        break_s += rng.uniform(2.2, 4.5)
    return total


def wind(rng: Rng, length: int) -> Samples:
    """Gusts: the stronger the wind, the further up its band reaches; a broad whistle moves with it."""
    gust = 0.8 * slow_curve(rng, length, 0.3) + 0.25 * slow_curve(rng, length, 1.2)
    total, fall_db = np.zeros(length), rng.uniform(2.0, 4.0)
    for octave, centre_hz in enumerate((45.0, 90.0, 180.0, 360.0, 720.0, 1440.0)):
        band = band_noise(rng, length, centre_hz / 1.4, centre_hz * 1.4)
        total += 10 ** (-fall_db * octave / 20) * np.exp((0.2 + 0.09 * octave) * gust) * band
    whistle_hz = rng.uniform(450, 1000) * np.exp(0.2 * gust + 0.05 * slow_curve(rng, length, 0.8))
    cycles, width_hz = 2 * np.pi * glide(whistle_hz), rng.uniform(40, 120)
    sides = (band_noise(rng, length, 1, width_hz, 12.0) for _ in range(2))
    whistle = next(sides) * np.cos(cycles) + next(sides) * np.sin(cycles)
    return total + rng.uniform(0.3, 0.8) * np.exp(0.7 * gust) * whistle


def stream(rng: Rng, length: int) -> Samples:
    """Crowds of small bubbles over the wash of running water."""
    bed = octave_noise(rng, length, (-50, -40, -22, -12, -5, -1, -2, -8, -14, -24))
    small = bubbles(rng, length, log_uniform(rng, 350, 700), (0.0007, 0.004), 0.15)
    large = bubbles(rng, length, log_uniform(rng, 10, 30), (0.003, 0.008), 0.6)
    surge = np.exp(0.12 * slow_curve(rng, length, 1.5))
    return surge * (
        at_level(bed, rng.uniform(0.9, 1.8)) + at_level(small, 1.0) + at_level(large, rng.uniform(0.2, 0.6))
    )


def trickle(rng: Rng, length: int) -> Samples:
    """A thin fall of water: fewer and larger bubbles than a stream's, each of them heard."""
    bed = octave_noise(rng, length, (-60, -50, -40, -28, -14, -6, -2, 0, -2, -8))
    total = at_level(bubbles(rng, length, log_uniform(rng, 60, 160), (0.0012, 0.006), 0.4), 1.0)
    total += at_level(shower(rng, length, log_uniform(rng, 30, 120), (1500, 7000), (0.003, 0.015), 0.8, kinds=8), 0.2)
    return total * np.exp(0.3 * slow_curve(rng, length, 2.0)) + at_level(bed, rng.uniform(0.15, 0.4))


def cricket(rng: Rng, length: int) -> Samples:
    """Chirps of three to five wing strokes on a few steady carriers, before a far chorus that trills without end."""
    total = np.zeros(length)
    for singer in range(int(rng.integers(2, 5))):
        carrier_hz, loudness = rng.uniform(3800, 5000), 1.0 if singer == 0 else log_uniform(rng, 0.1, 0.5)
        strokes, stroke_s = int(rng.integers(3, 6)), rng.uniform(0.018, 0.03)
        stroke = np.hanning(int(0.8 * stroke_s * SAMPLE_RATE)) ** 0.6
        period_s = strokes * stroke_s + rng.uniform(0.15, 0.45)
        envelope = np.zeros(length)
        start_s = rng.uniform(-period_s, period_s)
        while start_s < length / SAMPLE_RATE:
            for n in range(strokes):
                add_at(envelope, start_s + n * stroke_s, stroke * loudness * (0.7 + 0.3 * n / strokes))
            start_s += period_s * rng.normal(1.0, 0.02)
        total += envelope * harmonics(glide(carrier_hz + 8 * slow_curve(rng, length, 3.0)), (1.0, 0.02))
    chorus = np.zeros(length)
    for _ in range(4):
        trill = 0.5 + 0.5 * np.sin(2 * np.pi * glide(rng.uniform(35, 60) * (1 + 0.05 * slow_curve(rng, length, 2.0))))
        centre_hz = rng.uniform(4200, 5200)
        voices = band_noise(rng, length, 0.995 * centre_hz, 1.005 * centre_hz, 240.0)
        chorus += rng.uniform(0.3, 1.0) * trill * voices
    night = octave_noise(rng, length, (-12, -6, -4, -6, -10, -12, -12, -8, -10, -24))
    return total + at_level(chorus, rng.uniform(0.25, 0.7)) + rng.uniform(0.01, 0.03) * night


def fan(rng: Rng, length: int) -> Samples:
    """Air and motor: the hum of the blades passing, its harmonics, and a broad rush coloured by the housing."""
    air = octave_noise(rng, length, (-30, -18, -8, -3, -2, -5, -9, -13, -18, -30), 2.0)
    for _ in range(6):
        air += rng.uniform(0.1, 0.3) * at_level(ring(air, log_uniform(rng, 150, 3000), rng.uniform(0.02, 0.08)), 1.0)
    blades, rotation_hz = int(rng.integers(3, 8)), rng.uniform(12, 26)
    turn = glide(rotation_hz * (1 + 0.004 * slow_curve(rng, length, 0.4)))
    hum = harmonics(blades * turn, 0.75 ** np.arange(16) * rng.uniform(0.2, 1.0, 16))
    motor = harmonics(
        glide(np.full(length, rng.choice([100.0, 120.0]))), 0.7 ** np.arange(10) * rng.uniform(0.1, 1.0, 10)
    )
    flutter = 1 + rng.uniform(0.03, 0.12) * np.sin(2 * np.pi * turn) + 0.05 * np.sin(2 * np.pi * blades * turn)
    return flutter * air + at_level(hum, rng.uniform(0.1, 0.3)) + at_level(motor, rng.uniform(0.05, 0.25))


def crackle(rng: Rng, length: int) -> Samples:
    """A fire: snaps of heavy-tailed size, alone and in bursts, over the flutter of the flames."""
    activity = np.exp(0.7 * slow_curve(rng, length, 3.0))
    pace_hz, snaps = log_uniform(rng, 1.5, 8.0), np.zeros(length)
    for _ in range(12):
        clicks = random_impulses(rng, length, pace_hz, 1.3) * activity
        snaps += ring(clicks, log_uniform(rng, 1200, 9000), log_uniform(rng, 0.0008, 0.005))
    hiss = octave_noise(rng, length, (-60, -50, -40, -30, -20, -10, -4, 0, 0, -4))
    flutter = np.exp(0.4 * slow_curve(rng, length, 6.0))
    flames = octave_noise(rng, length, (-3, 0, -1, -5, -12, -17, -21, -24, -26, -34)) * flutter
    return at_level(snaps, 1.0) + at_level(flames, rng.uniform(0.3, 1.0)) + at_level(hiss, rng.uniform(0.05, 0.15))


def purr(rng: Rng, length: int) -> Samples:
    """A cat: about 25 throat pulses a second, in and out with the breath."""
    seconds = length / SAMPLE_RATE
    breath_s, rate_hz = rng.uniform(1.2, 2.0), rng.uniform(22, 28)
    breath = np.sin(np.pi * (np.arange(length) / SAMPLE_RATE / breath_s + rng.uniform(0, 2)))
    times_s = np.cumsum(rng.normal(1 / rate_hz, 0.05 / rate_hz, int(1.3 * seconds * rate_hz)))
    pulses = impulses_at(times_s, rng.normal(1.0, 0.15, times_s.size), length)
    spread = band_noise(rng, int(0.016 * SAMPLE_RATE), 80, 1200, 12.0) * np.hanning(int(0.016 * SAMPLE_RATE))
    excitation = lfilter(spread, [1.0], pulses)
    throat = sum(
        gain * ring(excitation, rng.uniform(0.9, 1.1) * formant_hz, decay_s)
        for formant_hz, decay_s, gain in ((120, 0.035, 0.6), (230, 0.03, 1.0), (420, 0.02, 0.5), (900, 0.01, 0.15))
    )
    air = octave_noise(rng, length, (-40, -20, -6, 0, -6, -12, -18, -24, -30, -40))
    loud = 0.12 + np.abs(breath) ** 0.6 * np.where(breath > 0, 1.0, 0.65)
    return loud * (at_level(np.asarray(throat), 1.0) + 0.08 * air) + 0.01 * air


def keyboard(rng: Rng, length: int) -> Samples:
    """Typing: each key clicks down, thumps the desk and clicks again when let go, in uneven runs."""
    seconds = length / SAMPLE_RATE
    clicks, thumps, times_s = np.zeros(length), np.zeros(length), []
    now = rng.uniform(0.0, 0.2)
    pace_s = rng.uniform(0.09, 0.17)
    while now < seconds:
        times_s.append(now)
        now += pace_s * rng.lognormal(0.0, 0.35) + (rng.uniform(0.2, 0.7) if rng.random() < 0.08 else 0.0)
    for press_s in times_s:
        loudness = rng.lognormal(0.0, 0.3)
        for offset_s, size in ((0.0, 0.5), (rng.uniform(0.008, 0.02), 1.0), (rng.uniform(0.06, 0.12), 0.55)):
            grain = band_noise(
                rng, int(0.012 * SAMPLE_RATE), log_uniform(rng, 1200, 2600), log_uniform(rng, 4000, 9000)
            )
            add_at(clicks, press_s + offset_s, size * loudness * grain * np.exp(-np.arange(grain.size) / 90))
        thumps += impulses_at([press_s + 0.015], [loudness], length)
    body = sum(ring(thumps, log_uniform(rng, low, 2.2 * low), 0.06) for low in (110, 260, 600))
    hiss = octave_noise(rng, length, (-6, -4, -8, -10, -14, -16, -20, -24, -28, -34))
    return room(rng, at_level(clicks, 1.0) + at_level(np.asarray(body), rng.uniform(0.3, 0.7)), 0.2, 0.25) + 0.04 * hiss


def tick_tock(rng: Rng, length: int) -> Samples:
    """A clock: two alternating clicks of the escapement, exactly regular, each of a few tiny impacts."""
    period_s, start_s = float(rng.choice([0.2, 0.25, 0.3, 0.4, 0.5])), rng.uniform(0.02, 0.2)
    beats_s = np.arange(start_s, length / SAMPLE_RATE, period_s)
    total, case_hz = np.zeros(length), [log_uniform(rng, 2000, 7000) for _ in range(4)]
    for parity in (0, 1):
        click = np.zeros(int(0.06 * SAMPLE_RATE))
        for offset_s, size in ((0.0, 1.0), (rng.uniform(0.004, 0.009), 0.6), (rng.uniform(0.014, 0.025), 0.4)):
            scrape = band_noise(rng, int(0.02 * SAMPLE_RATE), log_uniform(rng, 2500, 5000), 12000, 9.0)
            add_at(click, offset_s, size * scrape * np.exp(-np.arange(scrape.size) / rng.uniform(25, 60)))
        body = sum(ring(click, hz * (1 - 0.12 * parity), rng.uniform(0.01, 0.03)) for hz in case_hz)
        click = click + at_level(np.asarray(body), rng.uniform(0.3, 0.8) * float(np.std(click)))
        for beat_s in beats_s[parity::2]:
            add_at(total, beat_s, click)
    hiss = octave_noise(rng, length, (-10, -10, -10, -8, -10, -12, -14, -16, -20, -30))
    return room(rng, total, 0.2, 0.1) + rng.uniform(0.08, 0.25) * float(np.std(total)) * hiss


def clapping(rng: Rng, length: int) -> Samples:
    """A few people clapping, each at a steady pace of their own, in a hall."""
    total = np.zeros(length)
    for person in range(int(rng.integers(2, 8))):
        pace_s, now = rng.uniform(0.22, 0.34), rng.uniform(0.0, 0.3)
        centre_hz, loudness = log_uniform(rng, 800, 1900), 1.0 if person == 0 else rng.uniform(0.2, 0.7)
        while now < length / SAMPLE_RATE:
            grain = band_noise(rng, int(0.03 * SAMPLE_RATE), 0.7 * centre_hz, 1.6 * centre_hz, 9.0)
            decay = np.exp(-np.arange(grain.size) / rng.uniform(120, 220))
            add_at(total, now, loudness * rng.lognormal(0.0, 0.15) * grain * decay)
            now += pace_s * rng.normal(1.0, 0.04)
    return room(rng, total, rng.uniform(0.3, 0.9), 0.4)


def thunder(rng: Rng, length: int) -> Samples:
    """A crack, then claps and a rolling rumble that dies away."""
    seconds = np.arange(length) / SAMPLE_RATE
    total = np.zeros(length)
    for clap in range(int(rng.integers(4, 9))):
        since = seconds - rng.uniform(0.1, 0.45 * seconds[-1])
        strength = np.where(
            since < 0, 0.0, np.exp(-np.maximum(since, 0) / rng.uniform(0.4, 1.6)) * (1 - np.exp(-np.abs(since) / 0.04))
        )
        high = -6.0 if clap < 2 else -16.0
        levels = (-8, 0, 0, -3, -7 + high / 4, -12 + high / 2, -18 + high, -30 + high, -40 + high, -60)
        total += rng.uniform(0.3, 1.0) * strength * octave_noise(rng, length, levels)
    rumble = shaped_noise(rng, length, {20: -6, 60: 0, 150: -4, 600: -30, 4000: -70})
    return total * np.exp(0.4 * slow_curve(rng, length, 6.0)) + 0.15 * rumble * fade(length, 0.8, 0.8)


TEXTURES = {
    "Rain": rain,
    "Waves_and_surf": waves,
    "Wind": wind,
    "Cricket": cricket,
    "Mechanical_fan": fan,
    "Stream": stream,
    "Trickle_and_dribble": trickle,
    "Computer_keyboard": keyboard,
    "Tick-tock": tick_tock,
    "Crackle": crackle,
    "Purr": purr,
    "Clapping": clapping,
    "Thunder": thunder,
}
