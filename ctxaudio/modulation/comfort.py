"""How deep a modulation may be before it is unpleasant, by rate.

Fluctuation strength is greatest at 4 Hz: slow rates pump. Roughness begins at 15 Hz and is greatest at 70 Hz
(Fastl & Zwicker 2007, Psychoacoustics, chapters 10 and 11): above a depth of 0.3 gamma rates sound like an alarm
(Arnal et al. 2015, doi:10.1016/j.cub.2015.06.043).
"""

from __future__ import annotations

from collections.abc import Iterable

from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import ModulationProfile

#: (from rate in hertz, greatest depth, what it sounds like beyond)
LIMITS = (
    (0.0, 0.7, "swells that draw attention"),
    (2.0, 0.5, "conspicuous pumping"),
    (15.0, 0.5, "flutter"),
    (30.0, 0.3, "roughness"),
)


def comfort_limit(rate_hz: float) -> float:
    """The greatest comfortable depth (0..1) of modulation at `rate_hz`.

    >>> [comfort_limit(rate_hz) for rate_hz in (0.1, 4.0, 16.0, 40.0)]
    [0.7, 0.5, 0.5, 0.3]
    """
    return next(depth for low_hz, depth, _ in reversed(LIMITS) if rate_hz >= low_hz)


def check_comfort(rates: Iterable[tuple[float, float]]) -> None:
    """Raise `CtxAudioError` where (rate in hertz, depth) pairs, summed over each range of rates, pass its limit.

    >>> check_comfort([(40.0, 0.2), (60.0, 0.2)])
    Traceback (most recent call last):
    ...
    ctxaudio.errors.CtxAudioError: depth 0.4 at 30 Hz and above is over 0.3 (roughness): less, or --beyond_comfort
    """
    pairs = list(rates)
    highs = [*(low_hz for low_hz, _, _ in LIMITS[1:]), float("inf")]
    for (low_hz, limit, beyond), high_hz in zip(LIMITS, highs, strict=True):
        total = sum(depth for rate_hz, depth in pairs if low_hz <= rate_hz < high_hz)
        if total > limit + 1e-9:
            where = f"{low_hz:g} Hz and above" if high_hz == float("inf") else f"{low_hz:g}-{high_hz:g} Hz"
            raise CtxAudioError(f"depth {total:g} at {where} is over {limit:g} ({beyond}): less, or --beyond_comfort")


def check_comfort_of(profile: ModulationProfile) -> None:
    """`check_comfort` of a profile's rates; tones lie under the sound at a level of their own and are not limited."""
    check_comfort((rate.rate_hz, rate.depth) for rate in profile.rates)
