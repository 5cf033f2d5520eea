"""Struck sounds: how often something is struck, how loud, how fast it dies away; and new strikes like those.

A chime's partials ring: each jumps up and dies away exponentially until it is struck again (modal synthesis; Adrien
1991, in Representations of Musical Signals). So does the noise of a drum or of a clock. `find_strikes` measures that
on levels over time, `ring` strikes again, at random times or regularly as before. What was struck together is struck
together again.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ctxaudio.signal.stft import power_spectrogram

#: What describes a row of strikes: how many a second (0: not struck), whether at equal intervals (1) or not (0), how
#: fast it dies away in nepers (8.7 dB) a second, the mean and deviation of the levels that it is struck to and the
#: level that it stays above, in nepers, and which row it is struck with.
STRIKE = 7
PER_S, REGULAR, DECAY, PEAK, DEVIATION, FLOOR, WITH = range(STRIKE)

#: An onset rises by so many nepers (8 dB) within `RISE_FRAMES` either way.
RISE = 0.92
RISE_FRAMES = 2
#: Slower than this, in nepers a second, a tone sounds on and noise comes and goes; faster than that is a click.
SLOWEST_OF_TONES = 0.7
SLOWEST_OF_NOISE = 7.0
FASTEST_DECAY = 200.0
#: More often is no row of strikes.
MOST_PER_S = 8.0
#: With no onset in a crop, it is taken to be struck half a time in its length.
UNSEEN = 0.5
#: Deviation of the intervals against their mean, below which they are equal.
UNEQUAL = 0.15
#: The share of a level's variance that must be due to strikes, for it to be struck.
EXPLAINED = 0.33
SMALLEST = 1e-8
#: The first strike comes within so many seconds of the beginning.
FIRST_WITHIN_S = 1.0


def partial_levels(samples: Tensor, partials_hz: Tensor, sample_rate: int, n_fft: int, hop: int) -> Tensor:
    """Natural logarithm of the RMS amplitudes `[B, K, frames]` of partials `[B, K]` in crops `[B, T]`."""
    power = power_spectrogram(samples, n_fft, hop)
    bins = (partials_hz * (n_fft / sample_rate)).round().long().clamp_max(power.shape[2] - 1)
    along = power.gather(2, bins[:, None].expand(-1, power.shape[1], -1)).transpose(1, 2)
    return 0.5 * torch.log(along * (3.0 / n_fft) + SMALLEST)


def find_strikes(
    level: Tensor, loud: Tensor, possible: Tensor, frame_rate: float, slowest: float
) -> tuple[Tensor, Tensor]:
    """Strikes `[B, K, STRIKE]` of levels `[B, K, frames]` in nepers, each with itself; and their onsets, alike `level`.

    An onset reaches above `loud` `[B, K]`. What dies away without an onset was struck before. All 0 is what is not
    `possible` `[B, K]`, dies away by less than `slowest` nepers a second, rises too often to be struck, or moves
    otherwise than by strikes.
    """
    frames = level.shape[2]
    seconds, loud = frames / frame_rate, loud[..., None]
    reached = highest_soon(level)
    rise = F.pad(level[..., 2 * RISE_FRAMES :] - level[..., : -2 * RISE_FRAMES], (RISE_FRAMES, RISE_FRAMES))
    onset = (rise == F.max_pool1d(rise, 9, 1, padding=4)) & (rise > RISE) & (reached > loud)
    onset = onset & ~F.pad(onset[..., :-1], (1, 0))  # the first of equals
    seen = onset.sum(2).float()

    floor = torch.quantile(level, 0.1, dim=2)
    decay = decay_of(level, onset, loud - 1.0, floor, frame_rate)
    struck = possible & (decay > slowest) & (seen / seconds <= MOST_PER_S)
    at_first = F.one_hot(torch.zeros_like(seen).long(), frames) > 0
    onset = torch.where((seen == 0)[..., None], at_first, onset) & struck[..., None]
    count = onset.sum(2).clamp_min(1)
    peaks = reached.maximum(loud)
    peak = (peaks * onset).sum(2) / count
    deviation = ((peaks - peak[..., None]).square() * onset).sum(2).div(count).sqrt()
    interval, unequal = intervals(onset)
    regular = (seen >= 3) & (unequal < UNEQUAL)
    per_s = torch.where(regular, frame_rate / interval, seen.clamp_min(UNSEEN) / seconds)
    itself = torch.arange(level.shape[1], device=level.device).expand_as(seen)
    strikes = torch.stack([per_s, regular.float(), decay, peak, deviation, floor, itself], dim=2)
    struck = struck & (explained(level, strikes, onset, frame_rate) > EXPLAINED)
    return torch.where(struck[..., None], strikes, 0.0), onset & struck[..., None]


def highest_soon(level: Tensor) -> Tensor:
    """The highest of `[B, K, frames]` from each frame to as far after it as an onset takes."""
    later = 2 * RISE_FRAMES
    return F.max_pool1d(F.pad(level, (0, later), mode="replicate"), later + 1, 1)


def decay_of(level: Tensor, onset: Tensor, audible: Tensor, floor: Tensor, frame_rate: float) -> Tensor:
    """How fast levels `[B, K, frames]` fall after their onsets, in nepers a second: `[B, K]`.

    What is half way down to its `floor` `[B, K]` within a tenth of a second falls as fast as that; else the median
    slope counts, where no onset is near and the level is not down in the noise.
    """
    ahead = F.pad(level, (0, RISE_FRAMES + 8), mode="replicate")
    peak, *after = (ahead[..., RISE_FRAMES + n :][..., : level.shape[2]] for n in range(9))
    down = (torch.stack(after) < 0.5 * (peak + floor[..., None])).float()
    frames_to_half = 1.0 + (1.0 - down).cumprod(0).sum(0)
    count = onset.sum(2)
    quick = 0.5 * (peak - floor[..., None]) / frames_to_half * frame_rate
    quick = (quick * onset).sum(2) / count
    soon = ((frames_to_half <= 8) & onset).sum(2) > 0.5 * count

    near = F.max_pool1d(onset.float(), 15, 1, padding=7)[..., 3:-5] > 0  # of t: 4 frames before, 10 after
    slope = (level[..., 8:] - level[..., :-8]) * (frame_rate / 8)
    counts = ~near & (level[..., :-8] > audible)
    slow = -torch.nanmedian(slope.masked_fill(~counts, math.nan), dim=2).values
    return torch.where(soon | slow.isnan(), quick, slow).nan_to_num(0.0).clamp_max(FASTEST_DECAY)


def explained(level: Tensor, strikes: Tensor, onset: Tensor, frame_rate: float) -> Tensor:
    """The share `[B, K]` of the variance of levels `[B, K, frames]` that strikes at those onsets explain."""
    decay, floor = strikes[..., DECAY, None], strikes[..., FLOOR, None]
    fallen = decay * (torch.arange(level.shape[2], device=level.device) / frame_rate)
    standing = torch.where(onset, highest_soon(level) + fallen, -math.inf).cummax(2).values - fallen
    left = level - torch.maximum(standing, floor)
    return 1.0 - left.var(2) / level.var(2).clamp_min(SMALLEST)


def intervals(onset: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of the intervals in frames between onsets `[B, K, frames]`, and their deviation against it: `[B, K]`.

    Infinite where there are fewer than two.
    """
    times = torch.arange(1, onset.shape[2] + 1, device=onset.device)
    last = F.pad((times * onset).cummax(2).values[..., :-1], (1, 0))
    between = onset & (last > 0)
    count = between.sum(2)
    mean = ((times - last) * between).sum(2) / count
    variance = ((times - last - mean[..., None]).square() * between).nansum(2) / count
    none = count == 0
    return mean.masked_fill(none, math.inf), (variance.sqrt() / mean).masked_fill(none, math.inf)


def struck_together(strikes: Tensor, onset: Tensor) -> Tensor:
    """`strikes` `[B, K, STRIKE]`, each with the first that has most of its onsets `[B, K, frames]` in common.

    That one's times become its own.
    """
    there = onset.float()
    around = F.max_pool1d(there, 7, 1, padding=3)
    shared = (there @ around.transpose(1, 2)) / there.sum(2, keepdim=True).clamp_min(1.0)
    together = torch.minimum(shared, shared.transpose(1, 2)) > 0.5
    places = torch.arange(onset.shape[1], device=onset.device)
    first = torch.where(together, places, places[:, None]).amin(2)
    times = strikes[..., [PER_S, REGULAR]].gather(1, first[..., None].expand(-1, -1, 2))
    return torch.cat([times, strikes[..., DECAY:WITH], first[..., None].to(strikes)], dim=2)


def ring(strikes: Tensor, chance: Tensor, white: Tensor, frame_rate: float) -> Tensor:
    """Levels `[B, K, frames]` in nepers of what is struck: `chance` is uniform in 0..1, `white` normal, alike.

    There is one strike in every interval of 1 / `PER_S`, at its beginning where strikes are regular, else anywhere in
    it; but the first comes within `FIRST_WITHIN_S`, or half the sound, for a sound in which nothing is struck is none.
    A level falls from the loudest so far. Where nothing is struck it means nothing.

    >>> every_s = torch.tensor([[[1.0, 1.0, 3.0, 0.0, 0.0, -9.0, 0.0]]])
    >>> halfway = torch.full((1, 1, 256), 0.5)
    >>> level = ring(every_s, halfway, torch.zeros(1, 1, 256), frame_rate=128.0)[0, 0]
    >>> [round(float(level[frame]), 2) for frame in (64, 128, 191, 192)]
    [0.0, -1.5, -2.98, 0.0]
    """
    frames = chance.shape[2]
    hand = strikes[..., WITH].round().long()[..., None].expand(-1, -1, frames)
    chance, white = chance.gather(1, hand), white.gather(1, hand)
    per_s, regular, decay = (strikes[..., column, None] for column in (PER_S, REGULAR, DECAY))
    loudness = strikes[..., PEAK, None] + strikes[..., DEVIATION, None] * white.clamp(-2.0, 2.0)
    seconds = torch.arange(frames, device=strikes.device) / frame_rate
    last, width = chance[..., -1:], per_s / frame_rate
    passed = regular * last + per_s * seconds  # intervals
    place = (1.0 - regular) * (1.0 - width) * chance.gather(2, passed.long().clamp_max(frames - 1))
    soon = per_s * min(FIRST_WITHIN_S, 0.5 * frames / frame_rate)
    place = torch.where(passed < 1.0, place * soon.clamp_max(1.0), place)
    struck = (passed % 1.0 >= place) & (passed % 1.0 < place + width)
    standing = torch.where(struck, loudness + decay * seconds, -math.inf)
    # the last before the first frame: at the beginning of the interval, or somewhere in the one before
    before = loudness[..., :1] - decay * last / per_s.clamp_min(1e-3)
    standing = torch.cat([torch.maximum(before, standing[..., :1]), standing[..., 1:]], dim=2).cummax(2).values
    return torch.maximum(standing - decay * seconds, strikes[..., FLOOR, None])
