"""Eigen-spectra and a clip's own principal spectra beside scikit-learn and NumPy, the closed forms of noise, and the
bank of styles."""

import dataclasses

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from small_model import CONFIG, moving_noise, some_styles

from ctxaudio.model.style import (
    LEAST_DEVIATION,
    LOG_RAYLEIGH_DEVIATION,
    LOG_RAYLEIGH_MEAN,
    Analysis,
    EigenSpectra,
    Style,
    StyleBank,
    band_means,
    log_magnitude,
    nearest_rotation,
    normalise,
    normalised_noise,
    within,
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
    frames = normalise(pictures)[0].transpose(1, 2).flatten(0, 1)
    pca = PCA(6, svd_solver="full").fit(frames.numpy())
    assert share == pytest.approx(float(pca.explained_variance_ratio_.sum()), rel=1e-3)
    held = (frames @ spectra.basis).square().mean(0)
    np.testing.assert_allclose(held, pca.explained_variance_, rtol=1e-3)
    alike = np.abs((pca.components_ * spectra.basis.T.numpy()).sum(1))
    np.testing.assert_allclose(alike, 1.0, atol=1e-3)
    torch.testing.assert_close(spectra.basis.T @ spectra.basis, torch.eye(6), rtol=0, atol=1e-5)


def test_the_courses_of_every_crop_are_uncorrelated_of_mean_0_and_deviation_1(pictures):
    courses = fitted(pictures, 6).analyse(pictures, 4).courses
    assert courses.shape == (len(pictures), 4, pictures.shape[2])
    torch.testing.assert_close(courses.mean(-1), torch.zeros(len(pictures), 4), rtol=0, atol=1e-4)
    together = courses @ courses.transpose(1, 2) / courses.shape[-1]
    torch.testing.assert_close(together, torch.eye(4).expand(len(pictures), 4, 4), rtol=0, atol=1e-3)


def test_a_crop_s_directions_are_numpy_s_principal_components_rotated_towards_the_shared_ones(pictures):
    spectra = fitted(pictures, 6)
    found = spectra.analyse(pictures, 4)
    for i, normalised in enumerate(normalise(pictures)[0].double().numpy()):
        projected = spectra.basis.T.double().numpy() @ normalised
        variances, directions = np.linalg.eigh(np.cov(projected, bias=True))
        wanted = directions[:, ::-1][:, :4] * np.sqrt(variances[::-1][:4])
        mixing = found.mixing[i].double().numpy()
        np.testing.assert_allclose(mixing @ mixing.T, wanted @ wanted.T, rtol=0, atol=5e-3 * variances[-1])
        rotation, stretch = scipy.linalg.polar(wanted[:4], side="left")
        np.testing.assert_allclose(mixing, wanted @ rotation.T, rtol=0, atol=0.02)
        np.testing.assert_allclose(mixing[:4], stretch, rtol=0, atol=0.02)


def test_a_crop_s_courses_are_the_whitened_components_of_scikit_learn_rotated(pictures):
    spectra = fitted(pictures, 6)
    found = spectra.analyse(pictures, 4)
    for courses, normalised in zip(found.courses, normalise(pictures)[0], strict=True):
        frames = (spectra.basis.T @ normalised).T.numpy()
        whitened = PCA(4, whiten=True, svd_solver="full").fit_transform(frames).T
        rotation = whitened @ courses.numpy().T / whitened.shape[1]
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(4), rtol=0, atol=5e-3)


def test_with_as_many_courses_as_components_they_are_the_zca_whitened_ones(pictures):
    spectra = fitted(pictures, 6)
    found = spectra.analyse(pictures, 6)
    for courses, mixing, normalised in zip(found.courses, found.mixing, normalise(pictures)[0], strict=True):
        projected = (spectra.basis.T @ normalised).double().numpy()
        root = scipy.linalg.sqrtm(np.cov(projected, bias=True))
        np.testing.assert_allclose(mixing, root, rtol=0, atol=0.02)
        np.testing.assert_allclose(courses, np.linalg.solve(root, projected), rtol=0, atol=0.05)


def test_a_course_stands_for_the_same_spectrum_whichever_is_the_strongest_in_a_crop():
    """Of principal components as they come, order and sign change from crop to crop."""
    random = torch.Generator().manual_seed(0)
    spectra = EigenSpectra(4, 40)
    spectra.basis.copy_(torch.linalg.qr(torch.randn(40, 4, generator=random))[0])
    strengths = torch.tensor([[3.0, 2.0, 1.0, 0.5], [0.5, 1.0, 2.0, 3.0]])[..., None]
    moving = strengths * torch.randn(2, 4, 5000, generator=random)
    picture = spectra.basis @ moving + 0.5 * torch.randn(2, 40, 5000, generator=random)
    courses = spectra.analyse(picture, 4).courses
    alike = torch.nn.functional.cosine_similarity(courses, moving, dim=-1)
    assert float(alike.min()) > 0.6


@given(st.integers(0, 2**31 - 1), st.integers(1, 5), st.integers(0, 4))
def test_the_nearest_rotation_is_scipy_s_polar_factor(seed, columns, more):
    matrix = torch.randn(columns + more, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assume(torch.linalg.svdvals(matrix).min() > 1e-3)
    np.testing.assert_allclose(nearest_rotation(matrix), scipy.linalg.polar(matrix.numpy())[0], atol=1e-8)


def test_bands_are_means_and_a_flat_spectrum_stays_flat():
    place = torch.linspace(0, 1, 60)
    means = band_means(place, 8)
    torch.testing.assert_close(means.sum(0), torch.ones(8))
    middle = means.T @ (place * 7)
    torch.testing.assert_close(middle[1:-1], torch.arange(1.0, 7.0), rtol=0, atol=0.02)


def test_louder_softer_or_livelier_is_another_style_of_the_same_courses(pictures):
    spectra = fitted(pictures, 6)
    plain, changed = spectra.analyse(pictures, 4), spectra.analyse(2.0 * pictures + 1.0, 4)
    torch.testing.assert_close(changed.level, 2.0 * plain.level + 1.0)
    torch.testing.assert_close(changed.deviation, 2.0 * plain.deviation)
    for name in ("courses", "mixing", "residual"):
        torch.testing.assert_close(getattr(changed, name), getattr(plain, name), rtol=0, atol=5e-3)


def test_as_many_components_and_courses_as_bins_hold_the_whole_picture(pictures):
    bins = pictures.shape[1]
    spectra = fitted(pictures, bins)
    found = spectra.analyse(pictures, bins)
    combined = spectra.combine(found.courses, found.mixing)
    rebuilt = combined * found.deviation[..., None] + found.level[..., None]
    torch.testing.assert_close(rebuilt, pictures, rtol=0, atol=2e-3)
    assert float(found.residual.max()) < 1e-3


def test_what_principal_spectra_and_residual_hold_adds_up_to_the_variance_of_every_bin(pictures):
    spectra = fitted(pictures, 6)
    found = spectra.analyse(pictures, 4)
    held = spectra.combine(found.courses, found.mixing)
    left = normalise(pictures)[0] - held
    torch.testing.assert_close(found.residual, left.square().mean(-1).sqrt())
    # over all bins, as the directions are at right angles: principal spectra alone tell how much they hold
    of_spectra = (spectra.basis @ found.mixing).square().sum((1, 2))
    whole = of_spectra + found.residual.square().sum(1)
    torch.testing.assert_close(whole, torch.full_like(whole, float(pictures.shape[1])), rtol=1e-3, atol=0)


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


def noise_and_mixing(pictures: torch.Tensor) -> tuple[EigenSpectra, torch.Tensor, torch.Tensor]:
    spectra = fitted(pictures, 6)
    noise = torch.randn(len(pictures), pictures.shape[1], 4000, generator=torch.Generator().manual_seed(0))
    return spectra, noise, spectra.analyse(pictures, 4).mixing


def test_courses_of_noise_are_its_projections_on_the_crop_s_directions_and_of_deviation_1(pictures):
    spectra, noise, mixing = noise_and_mixing(pictures)
    courses = spectra.courses_of_noise(noise, mixing)
    directions = spectra.basis @ nearest_rotation(mixing)
    torch.testing.assert_close(courses, directions.transpose(1, 2) @ noise, rtol=0, atol=1e-3)
    together = courses @ courses.transpose(1, 2) / noise.shape[-1]
    torch.testing.assert_close(together, torch.eye(4).expand_as(together), rtol=0, atol=0.08)


def test_the_remainder_is_orthogonal_to_the_principal_spectra_and_has_deviation_1(pictures):
    spectra, noise, mixing = noise_and_mixing(pictures)
    left = spectra.remainder(noise, mixing)
    directions = torch.linalg.qr(spectra.basis @ mixing)[0]
    kept = 1.0 - directions.square().sum(-1)
    assert float(kept.min()) > 0.05
    torch.testing.assert_close(left.square().mean(-1), torch.ones_like(kept), rtol=0.15, atol=0)
    torch.testing.assert_close(left.square().mean(), torch.tensor(1.0), rtol=0.01, atol=0)
    weighted = left * kept.sqrt()[..., None]
    assert float(((spectra.basis @ mixing).transpose(1, 2) @ weighted).abs().max()) < 1e-3 * float(mixing.abs().max())
    # what is in the courses of noise and what is in the remainder make the noise
    both = weighted + directions @ (directions.transpose(1, 2) @ noise)
    torch.testing.assert_close(both, noise, rtol=0, atol=1e-3)


def test_the_remainder_of_a_complete_basis_stays_finite(pictures):
    bins = pictures.shape[1]
    spectra = fitted(pictures, bins)
    left = spectra.remainder(torch.randn(len(pictures), bins, 50), spectra.analyse(pictures, bins).mixing)
    assert float(left.abs().max()) < 1e-3


def test_silence_is_finite_and_so_is_the_gradient_of_its_picture():
    silence = torch.zeros(1, 4096, requires_grad=True)
    picture = log_magnitude(silence, 128, 64)
    with torch.no_grad():
        spectra = EigenSpectra(4, 65)
        found: Analysis = spectra.analyse(picture, 3)
        noise = torch.randn(1, 65, 20)
        more = spectra.courses_of_noise(noise, found.mixing), spectra.remainder(noise, found.mixing)
    assert all(bool(values.isfinite().all()) for values in (*found, *more))
    sum(part.sum() for part in normalise(picture)).backward()
    assert bool(silence.grad.isfinite().all())


def test_a_single_still_bin_s_neighbours_are_analysed_as_without_it(pictures):
    """A filter that cuts the treble leaves bins that do not move at all."""
    spectra, still = fitted(pictures, 6), pictures.clone()
    still[:, -1] = -8.0
    found = spectra.analyse(still, 4)
    assert all(bool(values.isfinite().all()) for values in found)
    assert float(found.deviation[:, -1].max()) == pytest.approx(LEAST_DEVIATION)
    torch.testing.assert_close(found.level[:, :-1], spectra.analyse(pictures, 4).level[:, :-1])


def test_the_ends_of_a_crop_are_no_events_of_a_steady_tone():
    """A frame that reaches over the end hears a click, which the frames within do not."""
    tone = torch.sin(2 * torch.pi * 997.0 * torch.arange(8192) / 8000.0)[None]
    tone = tone + 0.003 * torch.randn(1, 8192, generator=torch.Generator().manual_seed(0))
    picture = log_magnitude(tone, 512, 128)
    whole, inside = (normalise(frames)[0].amax(-1).mean() for frames in (picture, within(picture, 512, 128)))
    assert picture.shape[-1] - within(picture, 512, 128).shape[-1] == 4
    assert float(whole) > 2.0 * float(inside), (whole, inside)


def bank_of(kept: Style, conditions: list[int], places: int = 4) -> StyleBank:
    bank = StyleBank(dataclasses.replace(CONFIG, style_count=places, latent_dim=6))
    bank.fill(kept, torch.tensor(conditions))
    return bank


def test_a_latent_picks_one_style_of_its_own_condition():
    kept = some_styles(3)
    bank = bank_of(kept, [0, 0, 1])
    picked = bank(torch.randn(50, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([0] * 50))
    which = torch.cdist(picked.texture, kept.texture).argmin(1)
    assert set(which.tolist()) == {0, 1}
    for mine, theirs in zip(picked, kept, strict=True):
        torch.testing.assert_close(mine, theirs[which])
    only = bank(torch.randn(1, 6), torch.tensor([1]))
    for mine, theirs in zip(only, kept, strict=True):
        torch.testing.assert_close(mine, theirs[2:])


def test_a_key_picks_its_own_style_and_a_longer_latent_the_same():
    kept = some_styles(4)
    bank = bank_of(kept, [0, 0, 0, 0])
    for length in (0.1, 10.0):
        torch.testing.assert_close(bank(length * bank.keys, torch.zeros(4, dtype=torch.long)).level, kept.level)


def test_filling_again_leaves_nothing_of_before():
    bank = bank_of(some_styles(4), [0, 1, 2, 0])
    bank.fill(some_styles(1), torch.tensor([2]))
    assert bank.conditions.tolist() == [2, -1, -1, -1]


def test_on_the_way_between_two_styles_partials_fade_and_never_glide():
    first, second = some_styles(1), some_styles(1)
    first, second = (style._replace(amplitudes=0.01 + torch.rand(1, CONFIG.partials)) for style in (first, second))
    halfway = first.crossfade(second, 0.5)
    assert set(halfway.partials_hz[0].tolist()) == set(first.partials_hz[0].tolist() + second.partials_hz[0].tolist())
    power = halfway.amplitudes.square().sum()
    torch.testing.assert_close(power, 0.5 * (first.amplitudes.square().sum() + second.amplitudes.square().sum()))
    for name in ("texture", "level", "deviation", "residual"):
        mine, its = getattr(first, name), getattr(second, name)
        torch.testing.assert_close(getattr(first.crossfade(second, 0.0), name), mine)
        torch.testing.assert_close(getattr(first.crossfade(second, 1.0), name), its)
        torch.testing.assert_close(getattr(halfway, name), 0.5 * (mine + its))
    torch.testing.assert_close(
        first.crossfade(second, 1.0).amplitudes, torch.cat([0 * first.amplitudes, second.amplitudes], 1)
    )


def test_on_the_way_between_two_styles_every_course_is_as_strong_as_at_the_ends():
    """A plain mean of two directions at right angles would lose half the power, and swell back at the ends."""
    first, second = some_styles(2), some_styles(2)
    powers = [style.mixing.square().sum(1) for style in (first, second)]
    for t in (0.0, 0.25, 0.5, 0.9, 1.0):
        between = first.crossfade(second, t).mixing
        assert between.shape == first.mixing.shape
        torch.testing.assert_close(between.square().sum(1), torch.lerp(*powers, t), rtol=1e-4, atol=1e-6)
        mean = torch.lerp(first.mixing, second.mixing, t)
        mine, wanted = (torch.nn.functional.normalize(m, dim=1) for m in (between, mean))
        torch.testing.assert_close(mine, wanted, rtol=0, atol=1e-5)
    torch.testing.assert_close(first.crossfade(second, 0.0).mixing, first.mixing)
    torch.testing.assert_close(first.crossfade(second, 1.0).mixing, second.mixing)


def test_the_way_between_two_styles_that_are_opposite_is_finite():
    style = some_styles(1)
    opposite = style._replace(mixing=-style.mixing)
    assert all(bool(values.isfinite().all()) for values in style.crossfade(opposite, 0.5))
