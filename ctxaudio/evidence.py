"""What is known about what a file asks of its listener: graded claims, and how to listen safely."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ctxaudio.contexts import BANDS, TARGETS, Context, Evidence
from ctxaudio.modulation.profile import ModulationProfile

SAME_RATE_HZ = 0.005
SAME_CARRIER_HZ = 0.5

SAFE_LISTENING = (
    "Listen softly: WHO-ITU H.870 allows adults 80 dBA for 40 hours a week (children 75 dBA), and a file can't know "
    "how loud it is played. Not while driving or where you must hear what goes on. Stop if it is unpleasant; with "
    "tinnitus, hyperacusis or epilepsy ask a doctor first. Not a medical device; no health claim."
)

METHODS: Mapping[str, Evidence] = MappingProxyType(
    {
        "binaural": Evidence(
            "C",
            "Of 14 EEG studies of binaural beats 5 found that the brain follows, 8 did not and 1 was mixed; beats "
            "in the air drive the cortex more.",
            "Ingendoh, Posny & Heine 2023, doi:10.1371/journal.pone.0286023",
        ),
        "monaural": Evidence(
            "C",
            "Monaural beats drive the cortex more than binaural ones and changed mood no more than they did.",
            "Orozco Perez, Dumas & Lehmann 2020, doi:10.1523/ENEURO.0232-19.2020",
        ),
        "isochronic": Evidence(
            "D",
            "One double-blind trial (60 people, pulses at 8 Hz) found no effect on stress, and more alpha power "
            "without the pulses.",
            "Moniz-Lewis & Frederick 2020, Inquiries Journal 12(11)",
        ),
    }
)


@dataclass(frozen=True)
class Claim:
    """One thing that a sound is made for or with, and the evidence for it."""

    subject: str
    evidence: Evidence


def claims_of(
    context: Context | None, profile: ModulationProfile, other_rates_hz: Sequence[float] = ()
) -> tuple[Claim, ...]:
    """The claims behind a sound: its context, and every target, band and method that its modulation touches.

    A rate that is a target's is that target; any other counts for its band. What has depth 0 is not there.
    `other_rates_hz` are those that the profile does not name, of a schedule for example.

    >>> from ctxaudio.contexts import CONTEXTS
    >>> from ctxaudio.modulation.profile import context_profile
    >>> sleep = CONTEXTS["sleep"]
    >>> [(claim.subject, claim.evidence.grade) for claim in claims_of(sleep, context_profile(sleep))]
    [('context sleep', 'D'), ('target deep_sleep (2.5 Hz)', 'D'), ('band delta (1-4 Hz)', 'B')]
    """
    tones = [tone for tone in profile.tones if tone.depth > 0.0]
    rates_hz = [rate.rate_hz for rate in profile.rates if rate.depth > 0.0]
    rates_hz += [*(tone.rate_hz for tone in tones), *other_rates_hz]
    carriers_hz = [carrier.frequency_hz for carrier in profile.carriers if carrier.depth > 0.0]
    carriers_hz += [tone.carrier_hz for tone in profile.tones]
    claims = [Claim(f"context {context.name}", context.evidence)] if context is not None else []
    named: set[float] = set()
    for target in TARGETS.values():
        given, width_hz = (rates_hz, SAME_RATE_HZ) if target.kind == "rate" else (carriers_hz, SAME_CARRIER_HZ)
        if met := {hz for hz in given if abs(hz - target.frequency_hz) <= width_hz}:
            claims.append(Claim(f"target {target.name} ({target.frequency_hz:g} Hz)", target.evidence))
            named |= met
    for band in BANDS.values():
        if any(band.low_hz <= hz < band.high_hz for hz in rates_hz if hz not in named):
            claims.append(Claim(f"band {band.name} ({band.low_hz:g}-{band.high_hz:g} Hz)", band.evidence))
    methods = [tone.kind for tone in tones] + [
        "isochronic" for rate in profile.rates if rate.depth > 0.0 and rate.pulse is not None
    ]
    claims += [
        Claim(f"{name} beats" if name != "isochronic" else "isochronic pulses", METHODS[name])
        for name in METHODS
        if name in methods
    ]
    return tuple(claims)


def evidence_lines(claims: Iterable[Claim]) -> list[str]:
    """What a person is told with every sound: a line a claim, and the note on safe listening.

    >>> evidence_lines([Claim("binaural beats", METHODS["binaural"])])[0]
    'evidence grade C, binaural beats: Of 14 EEG studies of binaural beats 5 found that the brain follows, 8 did not \
and 1 was mixed; beats in the air drive the cortex more. (Ingendoh, Posny & Heine 2023, \
doi:10.1371/journal.pone.0286023)'
    """
    lines = [
        f"evidence grade {claim.evidence.grade}, {claim.subject}: {claim.evidence.says} ({claim.evidence.source})"
        for claim in claims
    ]
    return [*lines, f"safe listening: {SAFE_LISTENING}"]
