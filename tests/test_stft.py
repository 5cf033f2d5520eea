"""Our transforms beside torch's: the same numbers and gradients, at any length, dtype and mode."""

from __future__ import annotations

import pytest
import torch

from ctxaudio.signal.stft import inverse_stft, power, power_spectrogram, stft, unit_window

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
