"""Recipes of the embedded corpus for noise and impacts: water, air, fire, insects, machines, hands."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from ctxaudio.data.synthesis import SAMPLE_RATE, Samples, Sound, add_at, at_level, glide, harmonics, ring


def rain(s: Sound) -> Samples:
    """Single drops of random arrival, size and damped resonance, over the soft hiss of the far ones."""
    bed = s.octaves(-24, -16, -11, -8, -6, -4, -3, -4, -6, -14, spread_db=2.5)
    near = s.shower(s.log_uniform(300, 2500), (900, 9000), (0.002, 0.012), 0.9)
    heavy = s.shower(s.log_uniform(15, 90), (350, 1800), (0.01, 0.04), 0.7, kinds=8)
    swelling = at_level(bed, 1.0) * (1 + 0.12 * s.curve(0.5))
    return swelling + at_level(near, s.uniform(0.4, 1.0)) + at_level(heavy, s.uniform(0.1, 0.4))


def waves_and_surf(s: Sound) -> Samples:
    """Swells that build slowly, break and run out in foam, over the roar of the shore."""
    total = 0.25 * s.octaves(-14, -8, -4, -2, -3, -7, -13, -20, -27, -38)
    break_s = s.uniform(-1.5, 1.5)
    while break_s < s.seconds[-1] + 2.5:
        rise_s, fall_s, foam_s = s.uniform(0.5, 1.2), s.uniform(0.7, 1.5), s.uniform(1.0, 2.2)
        since, late = s.seconds - break_s, s.seconds - break_s - 0.3
        body = np.where(since < 0, np.exp(-0.5 * (since / rise_s) ** 2), np.exp(-np.maximum(since, 0) / fall_s))
        foam = np.where(late < 0, np.exp(-0.5 * (late / (0.6 * rise_s)) ** 2), np.exp(-late / foam_s))
        size = s.uniform(0.5, 1.0)
        total += size * body * s.octaves(-16, -9, -3, 0, -1, -4, -9, -16, -23, -34)
        total += size * 0.5 * foam * s.octaves(-50, -40, -25, -12, -5, -1, 0, -3, -8, -16)
        break_s += s.uniform(2.2, 4.5)
    return total


def wind(s: Sound) -> Samples:
    """Gusts: the stronger the wind, the further up its band reaches; a broad whistle moves with it."""
    gust = 0.8 * s.curve(0.3) + 0.25 * s.curve(1.2)
    total, fall_db = np.zeros(s.length), s.uniform(2.0, 4.0)
    for octave, centre_hz in enumerate((45.0, 90.0, 180.0, 360.0, 720.0, 1440.0)):
        gain = 10 ** (-fall_db * octave / 20) * np.exp((0.2 + 0.09 * octave) * gust)
        total += gain * s.band(centre_hz / 1.4, centre_hz * 1.4)
    whistle_hz = s.uniform(450, 1000) * np.exp(0.2 * gust + 0.05 * s.curve(0.8))
    cycles, width_hz = 2 * np.pi * glide(whistle_hz), s.uniform(40, 120)
    whistle = s.band(1, width_hz, 12.0) * np.cos(cycles) + s.band(1, width_hz, 12.0) * np.sin(cycles)
    return total + s.uniform(0.3, 0.8) * np.exp(0.7 * gust) * whistle


def cricket(s: Sound) -> Samples:
    """Chirps of three to five wing strokes on a few steady carriers, before a far chorus that trills without end."""
    total, chorus = np.zeros(s.length), np.zeros(s.length)
    for singer in range(int(s.integers(2, 5))):
        carrier_hz, loudness = s.uniform(3800, 5000), 1.0 if singer == 0 else s.log_uniform(0.1, 0.5)
        strokes, stroke_s = int(s.integers(3, 6)), s.uniform(0.018, 0.03)
        stroke = np.hanning(int(0.8 * stroke_s * SAMPLE_RATE)) ** 0.6
        period_s = strokes * stroke_s + s.uniform(0.15, 0.45)
        envelope, now = np.zeros(s.length), s.uniform(-period_s, period_s)
        while now < s.duration_s:
            for n in range(strokes):
                add_at(envelope, now + n * stroke_s, stroke * loudness * (0.7 + 0.3 * n / strokes))
            now += period_s * s.rng.normal(1.0, 0.02)
        total += envelope * harmonics(glide(carrier_hz + 8 * s.curve(3.0)), (1.0, 0.02))
    for _ in range(4):
        trill = 0.5 + 0.5 * np.sin(2 * np.pi * glide(s.uniform(35, 60) * (1 + 0.05 * s.curve(2.0))))
        centre_hz = s.uniform(4200, 5200)
        voices = s.band(0.995 * centre_hz, 1.005 * centre_hz, 240.0)
        chorus += s.uniform(0.3, 1.0) * trill * voices
    night = s.octaves(-12, -6, -4, -6, -10, -12, -12, -8, -10, -24)
    return total + at_level(chorus, s.uniform(0.25, 0.7)) + s.uniform(0.01, 0.03) * night


def mechanical_fan(s: Sound) -> Samples:
    """Air and motor: the hum of the blades passing, its harmonics, and a broad rush coloured by the housing."""
    air = s.octaves(-30, -18, -8, -3, -2, -5, -9, -13, -18, -30)
    for _ in range(6):
        air += s.uniform(0.1, 0.3) * at_level(ring(air, s.log_uniform(150, 3000), s.uniform(0.02, 0.08)), 1.0)
    blades, rotation_hz = int(s.integers(3, 8)), s.uniform(12, 26)
    turn = glide(rotation_hz * (1 + 0.004 * s.curve(0.4)))
    hum = harmonics(blades * turn, 0.75 ** np.arange(16) * s.uniform(0.2, 1.0, 16))
    mains_hz = np.full(s.length, s.rng.choice([100.0, 120.0]))
    motor = harmonics(glide(mains_hz), 0.7 ** np.arange(10) * s.uniform(0.1, 1.0, 10))
    flutter = 1 + s.uniform(0.03, 0.12) * np.sin(2 * np.pi * turn) + 0.05 * np.sin(2 * np.pi * blades * turn)
    return flutter * air + at_level(hum, s.uniform(0.1, 0.3)) + at_level(motor, s.uniform(0.05, 0.25))


def stream(s: Sound) -> Samples:
    """Crowds of small bubbles over the wash of running water."""
    bed = s.octaves(-50, -40, -22, -12, -5, -1, -2, -8, -14, -24)
    small = s.bubbles(s.log_uniform(350, 700), (0.0007, 0.004), 0.15)
    large = s.bubbles(s.log_uniform(10, 30), (0.003, 0.008), 0.6)
    surge = np.exp(0.12 * s.curve(1.5))
    return surge * (at_level(bed, s.uniform(0.9, 1.8)) + at_level(small, 1.0) + at_level(large, s.uniform(0.2, 0.6)))


def trickle_and_dribble(s: Sound) -> Samples:
    """A thin fall of water: fewer and larger bubbles than a stream's, each of them heard."""
    bed = s.octaves(-60, -50, -40, -28, -14, -6, -2, 0, -2, -8)
    total = at_level(s.bubbles(s.log_uniform(60, 160), (0.0012, 0.006), 0.4), 1.0)
    total += at_level(s.shower(s.log_uniform(30, 120), (1500, 7000), (0.003, 0.015), 0.8, kinds=8), 0.2)
    return total * np.exp(0.3 * s.curve(2.0)) + at_level(bed, s.uniform(0.15, 0.4))


def computer_keyboard(s: Sound) -> Samples:
    """Typing: each key clicks down, thumps the desk and clicks again when let go, in uneven runs."""
    clicks, thumps, times_s = np.zeros(s.length), np.zeros(s.length), [s.uniform(0.0, 0.2)]
    pace_s = s.uniform(0.09, 0.17)
    while times_s[-1] < s.duration_s:
        pause_s = pace_s * s.rng.lognormal(0.0, 0.35)
        times_s.append(times_s[-1] + pause_s + (s.uniform(0.2, 0.7) if s.rng.random() < 0.08 else 0.0))
    for press_s in times_s[:-1]:
        loudness = s.rng.lognormal(0.0, 0.3)
        for offset_s, size in ((0.0, 0.5), (s.uniform(0.008, 0.02), 1.0), (s.uniform(0.06, 0.12), 0.55)):
            grain = s.lasting(0.012).band(s.log_uniform(1200, 2600), s.log_uniform(4000, 9000))
            add_at(clicks, press_s + offset_s, size * loudness * grain * np.exp(-np.arange(grain.size) / 90))
        thumps += s.blows([press_s + 0.015], [loudness])
    body = np.asarray(sum(ring(thumps, s.log_uniform(low, 2.2 * low), 0.06) for low in (110, 260, 600)))
    hiss = s.octaves(-6, -4, -8, -10, -14, -16, -20, -24, -28, -34)
    return s.room(at_level(clicks, 1.0) + at_level(body, s.uniform(0.3, 0.7)), 0.2, 0.25) + 0.04 * hiss


def tick_tock(s: Sound) -> Samples:
    """A clock: two alternating clicks of the escapement, exactly regular, each of a few tiny impacts."""
    period_s, start_s = float(s.rng.choice([0.2, 0.25, 0.3, 0.4, 0.5])), s.uniform(0.02, 0.2)
    beats_s = np.arange(start_s, s.duration_s, period_s)
    total, case_hz = np.zeros(s.length), [s.log_uniform(2000, 7000) for _ in range(4)]
    for parity in (0, 1):
        click = np.zeros(int(0.06 * SAMPLE_RATE))
        for offset_s, size in ((0.0, 1.0), (s.uniform(0.004, 0.009), 0.6), (s.uniform(0.014, 0.025), 0.4)):
            scrape = s.lasting(0.02).band(s.log_uniform(2500, 5000), 12000, 9.0)
            add_at(click, offset_s, size * scrape * np.exp(-np.arange(scrape.size) / s.uniform(25, 60)))
        body = np.asarray(sum(ring(click, hz * (1 - 0.12 * parity), s.uniform(0.01, 0.03)) for hz in case_hz))
        click = click + at_level(body, s.uniform(0.3, 0.8) * float(np.std(click)))
        for beat_s in beats_s[parity::2]:
            add_at(total, beat_s, click)
    hiss = s.octaves(-10, -10, -10, -8, -10, -12, -14, -16, -20, -30)
    return s.room(total, 0.2, 0.1) + s.uniform(0.08, 0.25) * float(np.std(total)) * hiss


def crackle(s: Sound) -> Samples:
    """A fire: snaps of heavy-tailed size, alone and in bursts, over the flutter of the flames."""
    activity, pace_hz, snaps = np.exp(0.7 * s.curve(3.0)), s.log_uniform(1.5, 8.0), np.zeros(s.length)
    for _ in range(12):
        snaps += ring(s.impulses(pace_hz, 1.3) * activity, s.log_uniform(1200, 9000), s.log_uniform(0.0008, 0.005))
    hiss = s.octaves(-60, -50, -40, -30, -20, -10, -4, 0, 0, -4)
    flames = np.exp(0.4 * s.curve(6.0)) * s.octaves(-3, 0, -1, -5, -12, -17, -21, -24, -26, -34)
    return at_level(snaps, 1.0) + at_level(flames, s.uniform(0.3, 1.0)) + at_level(hiss, s.uniform(0.05, 0.15))


def purr(s: Sound) -> Samples:
    """A cat: about 25 throat pulses a second, in and out with the breath."""
    breath_s, rate_hz = s.uniform(1.2, 2.0), s.uniform(22, 28)
    breath = np.sin(np.pi * (s.seconds / breath_s + s.uniform(0, 2)))
    times_s = np.cumsum(s.rng.normal(1 / rate_hz, 0.05 / rate_hz, int(1.3 * s.duration_s * rate_hz)))
    pulses, pulse = s.blows(times_s, s.rng.normal(1.0, 0.15, times_s.size)), s.lasting(0.016)
    excitation, throat = lfilter(pulse.band(80, 1200, 12.0) * np.hanning(pulse.length), 1.0, pulses), np.zeros(s.length)
    for formant_hz, decay_s, gain in ((120, 0.035, 0.6), (230, 0.03, 1.0), (420, 0.02, 0.5), (900, 0.01, 0.15)):
        throat += gain * ring(excitation, s.uniform(0.9, 1.1) * formant_hz, decay_s)
    air = s.octaves(-40, -20, -6, 0, -6, -12, -18, -24, -30, -40)
    loud = 0.12 + np.abs(breath) ** 0.6 * np.where(breath > 0, 1.0, 0.65)
    return loud * (at_level(throat, 1.0) + 0.08 * air) + 0.01 * air


def clapping(s: Sound) -> Samples:
    """A few people clapping, each at a steady pace of their own, in a hall."""
    total = np.zeros(s.length)
    for person in range(int(s.integers(2, 8))):
        pace_s, now = s.uniform(0.22, 0.34), s.uniform(0.0, 0.3)
        centre_hz, loudness = s.log_uniform(800, 1900), 1.0 if person == 0 else s.uniform(0.2, 0.7)
        while now < s.duration_s:
            grain = s.lasting(0.03).band(0.7 * centre_hz, 1.6 * centre_hz, 9.0)
            decay = np.exp(-np.arange(grain.size) / s.uniform(120, 220))
            add_at(total, now, loudness * s.rng.lognormal(0.0, 0.15) * grain * decay)
            now += pace_s * s.rng.normal(1.0, 0.04)
    return s.room(total, s.uniform(0.3, 0.9), 0.4)


def thunder(s: Sound) -> Samples:
    """A crack, then claps and a rolling rumble that dies away."""
    total = np.zeros(s.length)
    for clap in range(int(s.integers(4, 9))):
        since = s.seconds - s.uniform(0.1, 0.45 * s.seconds[-1])
        dying = np.exp(-np.maximum(since, 0) / s.uniform(0.4, 1.6)) * (1 - np.exp(-np.abs(since) / 0.04))
        high = -6.0 if clap < 2 else -16.0
        levels = (-8, 0, 0, -3, -7 + high / 4, -12 + high / 2, -18 + high, -30 + high, -40 + high, -60)
        total += s.uniform(0.3, 1.0) * np.where(since < 0, 0.0, dying) * s.octaves(*levels)
    rumble = s.noise({20: -6, 60: 0, 150: -4, 600: -30, 4000: -70})
    return total * np.exp(0.4 * s.curve(6.0)) + 0.15 * rumble * s.fade(0.8, 0.8)
