"""Our transforms beside torch's: the same numbers and gradients, at any length, dtype and mode."""

from __future__ import annotations

import math

import librosa
import pytest
import torch

from ctxaudio.signal.stft import (
    STEADY,
    find_partials,
    griffin_lim,
    inverse_stft,
    partials_spectrum,
    power,
    steadiness,
    stft,
    unit_window,
)

RATE, N_FFT, HOP = 22050, 512, 128
SAMPLES = 2 * RATE
FRAMES = SAMPLES // HOP + 1
TIME_S = torch.arange(SAMPLES, dtype=torch.float64) / RATE
SIZES = [(512, 256), (512, 128), (256, 64), (64, 64)]


@pytest.mark.parametrize("length", [4096, 5000, 4999])
@pytest.mark.parametrize(("n_fft", "hop"), SIZES)
def test_the_stft_is_torch_s(n_fft, hop, length):
    sound = torch.randn(2, length, dtype=torch.float64)
    window = unit_window(n_fft, sound)
    theirs = torch.stft(sound, n_fft, hop, window=window, center=True, pad_mode="reflect", return_complex=True)
    torch.testing.assert_close(stft(sound, n_fft, hop), theirs)


@pytest.mark.parametrize("length", [4096, 4900])
@pytest.mark.parametrize(("n_fft", "hop"), SIZES[:3])
def test_the_inverse_is_torch_s_for_any_spectrum(n_fft, hop, length):
    noise = torch.randn(2, n_fft // 2 + 1, 1 + length // hop, 2, dtype=torch.float64)
    spectrum = torch.view_as_complex(noise)
    spectrum[:, [0, -1]] = spectrum[:, [0, -1]].real + 0j
    window = unit_window(n_fft, noise)
    whole = length // hop * hop
    theirs = torch.istft(spectrum, n_fft, hop, window=window, center=True, length=whole)
    torch.testing.assert_close(inverse_stft(spectrum, n_fft, hop, length)[:, :whole], theirs)


def test_the_inverse_undoes_the_stft():
    sound = torch.randn(2, 5000)
    torch.testing.assert_close(inverse_stft(stft(sound, 256, 64), 256, 64, 5000), sound, rtol=0, atol=1e-5)


def test_gradients_flow_after_the_same_size_was_used_without_any():
    sound = torch.randn(1, 3000)
    with torch.inference_mode():
        inverse_stft(stft(sound, 128, 32), 128, 32, 3000)
    wanted = sound.clone().requires_grad_()
    inverse_stft(stft(wanted, 128, 32), 128, 32, 3000).square().sum().backward()
    torch.testing.assert_close(wanted.grad, 2 * sound, rtol=0, atol=1e-4)


def test_power_is_the_squared_magnitude_and_its_gradient_is_finite_in_silence():
    sound = torch.randn(2, 700, dtype=torch.float64)
    one, other = sound.clone().requires_grad_(), sound.clone().requires_grad_()
    ours, plain = power(stft(one, 64, 32)), stft(other, 64, 32).abs().square()
    torch.testing.assert_close(ours, plain)
    weights = torch.randn_like(ours)
    (ours * weights).sum().backward()
    (plain * weights).sum().backward()
    torch.testing.assert_close(one.grad, other.grad)
    silent = torch.zeros(1, 700, requires_grad=True)
    power(stft(silent, 64, 32)).sum().backward()
    assert float(silent.grad.abs().max()) == 0.0


@pytest.mark.parametrize(("n_fft", "hop"), [(128, 32), (512, 128), (2048, 512)])
def test_the_stft_scales_white_noise_to_its_variance_at_any_resolution(n_fft, hop):
    sound = 0.3 * torch.randn(1, 8 * 22050, generator=torch.Generator().manual_seed(0))
    inner = stft(sound, n_fft, hop)[:, 1:-1]
    assert float(inner.abs().square().mean()) == pytest.approx(0.09, rel=0.03)


@pytest.mark.parametrize("rounds", [0, 3])
def test_the_magnitude_and_phase_of_a_sound_are_that_sound_whatever_the_rounds(rounds):
    sound = torch.randn(2, 5000, dtype=torch.float64)
    spectrum = stft(sound, 256, 64)
    made = griffin_lim(spectrum.abs(), spectrum, 256, 64, 5000, rounds)
    theirs = torch.istft(spectrum, 256, 64, window=unit_window(256, sound), length=4992)
    torch.testing.assert_close(made[:, :4992], theirs)
    torch.testing.assert_close(made, sound)


def clicks_and_noise() -> tuple[torch.Tensor, torch.Tensor]:
    """A magnitude that is far from the phase, that of noise, to begin with."""
    random = torch.Generator().manual_seed(0)
    sound = 0.01 * torch.randn(1, 8192, generator=random)
    sound[:, ::2048] += 1.0
    return stft(sound, 512, 128).abs(), stft(torch.randn(1, 8192, generator=random), 512, 128)


def test_every_round_brings_the_sound_s_magnitude_nearer_to_the_one_asked_for():
    magnitude, start = clicks_and_noise()

    def spectral_convergence(rounds: int) -> float:
        made = griffin_lim(magnitude, start, 512, 128, 8192, rounds)
        return float((stft(made, 512, 128).abs() - magnitude).norm() / magnitude.norm())

    errors = [spectral_convergence(rounds) for rounds in (0, 1, 2, 4, 8, 16)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.75 * errors[0]


@pytest.mark.parametrize("rounds", [1, 4])
def test_the_rounds_are_librosa_s(rounds):
    magnitude, _ = clicks_and_noise()
    norm = float(torch.hann_window(512).norm())
    theirs = librosa.griffinlim(
        magnitude[0].numpy() * norm,
        n_iter=rounds,
        hop_length=128,
        length=8192,
        pad_mode="reflect",
        momentum=0,
        init=None,
    )
    ours = griffin_lim(magnitude, torch.ones_like(magnitude) + 0j, 512, 128, 8192, rounds)[0]
    assert float((ours - torch.from_numpy(theirs)).norm() / ours.norm()) < 1e-3


def test_a_bin_without_any_phase_is_silent_and_its_gradient_finite():
    magnitude = torch.ones(1, 33, 19, requires_grad=True)
    made = griffin_lim(magnitude, torch.zeros(1, 33, 19, dtype=torch.complex64), 64, 16, 300, 1)
    made.square().sum().backward()
    assert made.count_nonzero() == 0 and bool(magnitude.grad.isfinite().all())


def test_the_magnitude_gets_a_gradient_through_the_rounds():
    random = torch.Generator().manual_seed(1)
    start = stft(torch.randn(1, 200, generator=random, dtype=torch.float64), 32, 8)
    magnitude = (0.5 + torch.rand(1, 17, 26, generator=random, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda m: griffin_lim(m, start, 32, 8, 200, 1), magnitude, fast_mode=True)


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
