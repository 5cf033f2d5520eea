"""Our transforms beside torch's: the same numbers and gradients, at any length, dtype and mode."""

from __future__ import annotations

import librosa
import pytest
import torch

from ctxaudio.signal.stft import griffin_lim, inverse_stft, power, power_spectrogram, stft, unit_window

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


def test_the_power_spectrogram_and_its_gradient_are_the_stft_s():
    sound = torch.randn(2, 700, dtype=torch.float64)
    one, other = sound.clone().requires_grad_(), sound.clone().requires_grad_()
    ours, plain = power_spectrogram(one, 64, 32), power(stft(other, 64, 32)).transpose(1, 2)
    torch.testing.assert_close(ours, plain)
    weights = torch.randn_like(ours)
    (ours * weights).sum().backward()
    (plain * weights).sum().backward()
    torch.testing.assert_close(one.grad, other.grad)


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
