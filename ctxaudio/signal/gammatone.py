"""The envelope in each band of hearing: a bank of gammatone filters, one to an equivalent rectangular bandwidth (ERB).

The filter of order 4 with bandwidth 1.019 ERB (Patterson et al. 1987), ERB = 24.7 (4.37 f / kHz + 1) Hz (Glasberg &
Moore 1990, doi:10.1016/0378-5955(90)90170-T), is what `scipy.signal.gammatone` makes. Its transfer function has a
closed form, used here: scipy's recursive filter loses its digits to eight nearly equal poles (at 48 kHz it is
unstable below 250 Hz), and with the spectrum of the whole clip at hand each band is one short inverse FFT.

A band is as slow as it is narrow. Its skirts take away the sidebands of fast rates: of a tone at the centre, depth
at rate f is multiplied by (1 + (f / 1.019 ERB)^2)^-2, so at 125 Hz (ERB 38 Hz) 6 Hz keeps 0.95 and 40 Hz 0.24; at
1 kHz (ERB 133 Hz) 40 Hz keeps 0.85. And the narrower the band, the more noise in it fluctuates by itself.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ctxaudio.errors import CtxAudioError
from ctxaudio.signal.sinusoids import Array, ComplexArray
from ctxaudio.signal.slow_envelope import Complex64Array, blocks_of

ORDER = 4
BANDWIDTH_ERB = 1.019
#: A band is cut off this far from its centre, where its response is down by 39 dB.
HALF_WIDTH_ERB = 3.0


def erb_hz(frequency_hz: npt.ArrayLike) -> Array:
    """Equivalent rectangular bandwidth in hertz of the auditory filter at `frequency_hz` (any shape).

    >>> erb_hz([100.0, 1000.0]).round(1)
    array([ 35.5, 132.6])
    """
    return np.asarray(24.7 * (4.37e-3 * np.asarray(frequency_hz, dtype=np.float64) + 1.0))


def centre_frequencies_hz(sample_rate: int, low_hz: float = 125.0, high_hz: float = 8000.0) -> Array:
    """Centres one ERB apart from `low_hz` up to `high_hz`, or less where the filter must fit below `sample_rate`/2.

    Raises `CtxAudioError` where not one fits.

    >>> [len(centre_frequencies_hz(rate)) for rate in (8000, 22050)]
    [23, 30]
    """
    number = 21.4 * np.log10(4.37e-3 * low_hz + 1.0)
    count = max(0, int(21.4 * np.log10(4.37e-3 * high_hz + 1.0) - number)) + 1
    centres = (10.0 ** ((number + np.arange(count)) / 21.4) - 1.0) / 4.37e-3
    fitting = np.asarray(centres[centres + erb_hz(centres) <= sample_rate / 2])
    if len(fitting) == 0:
        raise CtxAudioError(f"no auditory band from {low_hz:g} Hz up fits below {sample_rate / 2:g} Hz")
    return fitting


def gammatone_response(frequencies_hz: Array, centre_hz: float) -> ComplexArray:
    """Transfer function `[F]` at `frequencies_hz` `[F]` of the gammatone at `centre_hz`, about 1 there.

    >>> abs(gammatone_response(np.array([900.0, 1000.0]), 1000.0)).round(3)
    array([0.418, 1.   ])
    """
    bandwidth_hz = BANDWIDTH_ERB * float(erb_hz(centre_hz))
    direct = 1.0 + 1j * (frequencies_hz - centre_hz) / bandwidth_hz
    mirrored = 1.0 + 1j * (frequencies_hz + centre_hz) / bandwidth_hz  # a real filter passes -centre_hz as well
    return np.asarray(direct**-ORDER + mirrored**-ORDER)


def band_envelopes(samples: npt.NDArray[np.floating], sample_rate: int, centres_hz: Array) -> tuple[Array, float]:
    """Envelope in each gammatone band, `[K, T']`, of `samples` `[T]`, and its rate in hertz: both as `slow_envelope`.

    The filters are causal: low bands come some 20 ms late. Raises `CtxAudioError` for samples that are empty or not
    mono.
    """
    blocks = blocks_of(samples, sample_rate)
    envelopes = np.empty((len(centres_hz), blocks.length))
    for k, centre_hz in enumerate(centres_hz):
        first_bin, response = _band(float(centre_hz), blocks.bin_hz, blocks.spectra.shape[1])
        envelopes[k] = blocks.envelope(first_bin, len(response), response)
    return envelopes, blocks.rate_hz


@lru_cache(maxsize=256)
def _band(centre_hz: float, bin_hz: float, bins: int) -> tuple[int, Complex64Array]:
    """First bin of a band in the spectrum of a block, and its response from there on."""
    half_hz = HALF_WIDTH_ERB * float(erb_hz(centre_hz))
    first = max(1, round((centre_hz - half_hz) / bin_hz))
    end = min(bins, round((centre_hz + half_hz) / bin_hz))
    frequencies_hz = np.asarray(np.arange(first, end) * bin_hz, dtype=np.float64)
    return first, gammatone_response(frequencies_hz, centre_hz).astype(np.complex64)
