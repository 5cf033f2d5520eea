"""Eigen-spectra beside scikit-learn's principal components, and the closed forms of noise."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from small_model import moving_noise

from ctxaudio.model.eigenspectra import (
    LEAST_DEVIATION,
    LOG_RAYLEIGH_DEVIATION,
    LOG_RAYLEIGH_MEAN,
    EigenSpectra,
    log_magnitude,
    normalise,
    normalised_noise,
)
from ctxaudio.signal.stft import stft


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return log_magnitude(moving_noise(4, 22050), 128, 64)


def fitted(pictures: torch.Tensor, components: int) -> EigenSpectra:
    spectra = EigenSpectra(components, pictures.shape[1])
    spectra.fit(pictures)
    return spectra


def test_a_normalised_picture_has_mean_0_and_deviation_1_in_every_bin_and_comes_back(pictures):
    normalised, level, deviation = normalise(pictures)
    torch.testing.assert_close(normalised.mean(-1), torch.zeros_like(level), rtol=0, atol=1e-4)
    torch.testing.assert_close(normalised.square().mean(-1), torch.ones_like(level), rtol=1e-3, atol=0)
    torch.testing.assert_close(normalised * deviation[..., None] + level[..., None], pictures)
    still = normalise(torch.full((1, 3, 20), -2.0))
    assert float(still[2].max()) == pytest.approx(LEAST_DEVIATION) and still[0].abs().max() < 1e-4


def test_the_fit_is_a_principal_component_analysis(pictures):
    spectra = EigenSpectra(6, pictures.shape[1])
    share = spectra.fit(pictures)
    frames = normalise(pictures)[0].transpose(1, 2).flatten(0, 1).numpy()
    pca = PCA(6, svd_solver="full").fit(frames)
    assert share == pytest.approx(float(pca.explained_variance_ratio_.sum()), rel=1e-3)
    np.testing.assert_allclose(spectra.scale.square(), pca.explained_variance_, rtol=1e-3)
    alike = np.abs((pca.components_ * spectra.basis.T.numpy()).sum(1))
    np.testing.assert_allclose(alike, 1.0, atol=1e-3)
    torch.testing.assert_close(spectra.basis.T @ spectra.basis, torch.eye(6), rtol=0, atol=1e-5)


def test_every_course_has_deviation_1_over_the_pictures_fitted_to(pictures):
    courses = fitted(pictures, 6).analyse(pictures).courses
    torch.testing.assert_close(courses.square().mean((0, 2)), torch.ones(6), rtol=1e-3, atol=0)


def test_as_many_components_as_bins_hold_the_whole_picture(pictures):
    spectra = fitted(pictures, pictures.shape[1])
    found = spectra.analyse(pictures)
    rebuilt = spectra.combine(found.courses) * found.deviation[..., None] + found.level[..., None]
    torch.testing.assert_close(rebuilt, pictures, rtol=0, atol=2e-3)
    assert float(found.residual.max()) < 1e-3


def test_what_components_and_residual_hold_adds_up_to_the_variance(pictures):
    spectra = fitted(pictures, 6)
    found = spectra.analyse(pictures)
    held = spectra.combine(found.courses)
    left = normalise(pictures)[0] - held
    torch.testing.assert_close(found.residual, left.square().mean(-1).sqrt())
    whole = held.square().sum(1).mean() + found.residual.square().sum(1).mean()
    assert float(whole) == pytest.approx(pictures.shape[1], rel=1e-3)


def test_the_picture_of_white_noise_has_the_closed_form_of_a_log_rayleigh():
    noise = torch.randn(2, 65536, generator=torch.Generator().manual_seed(0))
    spectrum = stft(noise, 512, 128)[:, 1:-1]
    logs = spectrum.abs().log()
    assert float(logs.mean()) == pytest.approx(LOG_RAYLEIGH_MEAN, abs=0.01) == pytest.approx(-0.288608, abs=0.01)
    assert float(logs.std()) == pytest.approx(LOG_RAYLEIGH_DEVIATION, rel=0.01) == pytest.approx(0.641275, rel=0.01)
    normalised = normalised_noise(spectrum)
    assert float(normalised.mean()) == pytest.approx(0.0, abs=0.02)
    assert float(normalised.std()) == pytest.approx(1.0, rel=0.01)
    assert bool(normalised_noise(torch.zeros(1, 3, 2, dtype=torch.complex64)).isfinite().all())


def test_the_remainder_is_orthogonal_to_the_eigen_spectra_and_has_deviation_1(pictures):
    spectra = fitted(pictures, 6)
    noise = torch.randn(3, pictures.shape[1], 4000, generator=torch.Generator().manual_seed(0))
    left = spectra.remainder(noise)
    kept = 1.0 - spectra.basis.square().sum(1)
    assert float(kept.min()) > 0.05
    torch.testing.assert_close(left.square().mean((0, 2)), torch.ones(len(kept)), rtol=0.06, atol=0)
    assert float((spectra.basis.T @ (left * kept.sqrt()[:, None])).abs().max()) < 1e-4


def test_the_remainder_of_a_complete_basis_stays_finite(pictures):
    spectra = fitted(pictures, pictures.shape[1])
    left = spectra.remainder(torch.randn(1, pictures.shape[1], 50))
    assert float(left.abs().max()) < 1e-3


def test_silence_is_finite_and_so_is_its_gradient():
    silence = torch.zeros(1, 4096, requires_grad=True)
    found = EigenSpectra(4, 65).analyse(log_magnitude(silence, 128, 64))
    (found.courses.sum() + found.residual.sum() + found.level.sum()).backward()
    assert all(bool(values.isfinite().all()) for values in found)
