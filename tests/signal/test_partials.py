import math

import pytest
import torch

from ctxaudio.signal.partials import STEADY, find_partials, partials_spectrum, steadiness
from ctxaudio.signal.stft import inverse_stft, stft

RATE, N_FFT, HOP = 22050, 512, 128
SAMPLES = 2 * RATE
FRAMES = SAMPLES // HOP + 1
TIME_S = torch.arange(SAMPLES, dtype=torch.float64) / RATE


def sinusoid(frequency_hz: float, rms: float, phase: float = 0.0) -> torch.Tensor:
    exact_hz = float(torch.tensor(frequency_hz))  # as it is in 32 bits: after two seconds the difference is heard of
    return (math.sqrt(2) * rms * torch.cos(2 * math.pi * exact_hz * TIME_S + phase)).float()


def spectrum_of(amplitudes: torch.Tensor, frequencies_hz: list[float], phases: list[float]) -> torch.Tensor:
    given = amplitudes, torch.tensor([frequencies_hz]), torch.tensor([phases])
    return partials_spectrum(*given, FRAMES, RATE, N_FFT, HOP)


def test_the_spectrum_of_partials_is_the_stft_of_their_sum():
    spectrum = spectrum_of(torch.tensor([[0.1, 0.05, 0.02]]), [440.3, 1234.5, 9000.7], [0.0, 1.0, -2.0])
    closed = sinusoid(440.3, 0.1) + sinusoid(1234.5, 0.05, 1.0) + sinusoid(9000.7, 0.02, -2.0)
    ends = N_FFT // HOP  # the frames there have seen the reflected sound
    torch.testing.assert_close(
        spectrum[..., ends:-ends], stft(closed[None], N_FFT, HOP)[..., ends:-ends], atol=3e-4, rtol=0
    )
    out = inverse_stft(spectrum, N_FFT, HOP, SAMPLES)[0]
    torch.testing.assert_close(out[N_FFT:-N_FFT], closed[N_FFT:-N_FFT], rtol=0, atol=1e-4)


def test_a_batch_of_partials_is_each_alone_and_one_without_amplitude_is_nothing():
    amplitudes, hz, phases = (
        torch.tensor([[0.1, 0.0], [0.2, 0.3]]),
        torch.tensor([[500.0, 900.0], [700.0, 80.0]]),
        torch.ones(2, 2),
    )
    both = partials_spectrum(amplitudes, hz, phases, 9, RATE, N_FFT, HOP)
    for i in (0, 1):
        alone = partials_spectrum(amplitudes[i : i + 1], hz[i : i + 1], phases[i : i + 1], 9, RATE, N_FFT, HOP)
        torch.testing.assert_close(both[i], alone[0])
    only = partials_spectrum(amplitudes[:1, :1], hz[:1, :1], phases[:1, :1], 9, RATE, N_FFT, HOP)
    torch.testing.assert_close(both[:1], only)


def test_amplitudes_get_the_gradient_of_the_closed_form():
    amplitudes = torch.full((1, 2), 0.1, requires_grad=True)

    def energy(values: torch.Tensor) -> torch.Tensor:
        return spectrum_of(values, [700.0, 3000.0], [0.0, 0.0]).abs().square().sum()

    energy(amplitudes).backward()
    with torch.no_grad():  # the energy is a quadratic form: a central difference of any width is exact
        step = torch.tensor([[0.0, 0.1]])
        slope = (energy(amplitudes + step) - energy(amplitudes - step)) / 0.2
    torch.testing.assert_close(amplitudes.grad[0, 1], slope, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("frequency_hz", [110.0, 431.7, 3001.3, 9876.5])
def test_a_partial_in_noise_is_found_where_it_is(frequency_hz):
    noise = 0.02 * torch.randn(SAMPLES, generator=torch.Generator().manual_seed(0))
    found_hz, rms = find_partials((sinusoid(frequency_hz, 0.05) + noise)[None], RATE, 4)
    assert float(found_hz[0, 0]) == pytest.approx(frequency_hz, abs=0.5)
    assert float(rms[0, 0]) == pytest.approx(0.05, rel=0.06)
    assert rms[0, 1:].count_nonzero() == 0


def test_the_strongest_come_first_and_no_more_than_asked_for():
    bell = sum(sinusoid(f, rms) for f, rms in ((300.0, 0.01), (700.0, 0.04), (1500.0, 0.02)))
    found_hz, rms = find_partials(bell[None] + 1e-4 * torch.randn(1, SAMPLES), RATE, 2)
    assert found_hz[0].round().tolist() == [700.0, 1500.0] and float(rms[0, 0]) > float(rms[0, 1]) > 0


def test_a_call_that_glides_through_is_no_partial_however_often_it_comes():
    since_s = TIME_S % 0.2 - 0.1
    call = torch.exp(-0.5 * (since_s / 0.05) ** 2) * torch.cos(2 * math.pi * (3000.0 * since_s + 500.0 * since_s**2))
    bell = sinusoid(700.0, 0.05) * torch.exp(-TIME_S / 0.2)
    calls_and_bell = (0.3 * call + bell + 1e-4 * torch.randn(SAMPLES)).float()
    found_hz, rms = find_partials(calls_and_bell[None], RATE, 8)
    assert found_hz[rms > 0].round().tolist() == [700.0]


@pytest.mark.parametrize("decay_s", [0.03, 0.1, 1.0])
def test_a_partial_may_die_away_and_be_struck_again(decay_s):
    struck = sinusoid(1234.5, 0.1) * torch.exp(-(TIME_S % 0.5) / decay_s).float()
    assert float(steadiness(struck[None], torch.tensor([[1234.5]]), RATE)) > 0.95


def test_noise_turns_at_no_frequency():
    noise = torch.randn(4, SAMPLES, generator=torch.Generator().manual_seed(2))
    steady = steadiness(noise, torch.linspace(500.0, 10000.0, 64).expand(4, 64), RATE)
    assert float(steady.mean()) == pytest.approx(2 / 3, abs=0.03) and float(steady.max()) < STEADY + 0.03
    assert steadiness(torch.zeros(1, SAMPLES), torch.tensor([[500.0]]), RATE).item() == 0.0


def test_noise_has_no_partials_whatever_its_colour():
    white = torch.randn(40, SAMPLES, generator=torch.Generator().manual_seed(1))
    brown = torch.fft.irfft(torch.fft.rfft(white) / (1.0 + torch.arange(SAMPLES // 2 + 1) / 50.0))
    for noise in (white, brown):
        assert find_partials(noise, RATE, 8)[1].count_nonzero() == 0
