"""Hours of sound: seamless, the same after an interruption, at its level, in one whole file."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray, read_json
from ctxaudio.model.checkpoint import load_generator
from ctxaudio.modulation.profile import ModulationProfile, Rate, Tone
from ctxaudio.modulation.schedule import Mixed, Modulation, Schedule, Step, parse_schedule
from ctxaudio.options import Run
from ctxaudio.provenance import Provenance
from ctxaudio.render import session as rendering
from ctxaudio.render.beds import Bed, GeneratedBed, RecordingBed, rendered_blocks
from ctxaudio.render.session import REACH_S, Finish, Format, Session, preview, render_session, write_finished
from ctxaudio.signal.audio import audio_writer
from ctxaudio.signal.envelope import envelope_depth, hilbert_envelope
from ctxaudio.signal.loudness import integrated_lufs, true_peak_db

RATE = 8000
FINE_RATE = 16000  # where peaks are limited


class NoiseBed(Bed):
    """White noise in place of a generator: quick, and nothing about it repeats."""

    def piece(self, number: int) -> FloatArray:
        random = np.random.default_rng((self.seed, number))
        return (0.045 * random.standard_normal((self.channels, self.block_samples + self.fade_samples))).astype("f4")


def noise_session(minutes: float = 0.5, channels: int = 1, profile: ModulationProfile | None = None) -> Session:
    profile = profile or ModulationProfile((Rate(6.0, 0.5),))
    return Session(NoiseBed(RATE, channels, seed=3), Modulation(profile), minutes, Finish())


def recording(path: Path, seconds: float, channels: int = 1, rate: int = RATE) -> Path:
    noise = 0.1 * np.random.default_rng(0).standard_normal((channels, round(seconds * rate)))
    with audio_writer(path, rate, channels) as out:
        out.write(noise.astype("f4").clip(-1, 1))
    return path


def test_blocks_are_the_same_from_any_start() -> None:
    bed = NoiseBed(RATE, 2, seed=1)
    whole = list(islice(bed.blocks(), 4))
    again = list(islice(bed.blocks(2), 2))
    np.testing.assert_array_equal(np.concatenate(again, 1), np.concatenate(whole[2:], 1))
    assert not np.array_equal(whole[2], whole[3])


def test_the_level_does_not_change_at_a_joint() -> None:
    sound = np.concatenate(list(islice(NoiseBed(RATE, 1, seed=1).blocks(), 30)), 1)[0]
    power = (sound.reshape(30, -1) ** 2)[1:]  # block by block, the joint at its start
    fade = NoiseBed(RATE, 1, 1).fade_samples
    assert power[:, :fade].mean() == pytest.approx(power[:, fade:].mean(), rel=0.02)


def test_the_spectrum_of_a_generated_bed_at_joints_is_within_its_spread_elsewhere(trained: Run) -> None:
    generator, _ = load_generator(trained.model_path)
    bed = GeneratedBed(generator, -1, 1, seed=0)
    sound = np.concatenate(list(islice(bed.blocks(), 5)), 1)[0]
    length = bed.fade_samples // 4
    frames = sound[: len(sound) // length * length].reshape(-1, length) * np.hanning(length)
    levels = np.log(np.abs(np.fft.rfft(frames)) ** 2 + 1e-9)[:, 4:].reshape(len(frames), -1)
    bands = np.stack([part.mean(1) for part in np.array_split(levels, 16, axis=1)], 1)
    per_block = bed.block_samples // length
    at_joint = np.array([i % per_block < 4 and i >= per_block for i in range(len(bands))])
    mean, spread = bands[~at_joint].mean(0), bands[~at_joint].std(0)
    assert np.abs((bands[at_joint].mean(0) - mean) / spread).max() < 1.5
    assert np.abs((bands[at_joint] - mean) / spread).max() < 1.5 * np.abs((bands[~at_joint] - mean) / spread).max()


def test_a_generated_bed_has_two_channels_of_one_picture(trained: Run) -> None:
    generator, _ = load_generator(trained.model_path)
    left, right = next(GeneratedBed(generator, -1, 2, seed=0).blocks())
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.1
    assert integrated_lufs(left, generator.config.sample_rate) == pytest.approx(
        integrated_lufs(right, generator.config.sample_rate), abs=1.0
    )


def test_the_style_of_a_generated_bed_changes_in_small_steps_and_never_comes_back(trained: Run) -> None:
    generator, _ = load_generator(trained.model_path)
    bed = GeneratedBed(generator, -1, 1, seed=0)
    latents, styles = zip(*(bed.character(number, bed.condition) for number in range(241)), strict=True)
    for kept in ("texture", "level", "deviation", "residual", "mixing"):
        places = [getattr(style, kept) for style in styles]
        steps = [float((after - before).norm()) for before, after in pairwise(places)]
        for scene in (0, 120):  # some styles are further from each other than others
            apart = float((places[scene] - places[scene + 120]).norm())
            assert max(steps[scene : scene + 120]) < 0.02 * max(1.0, apart), kept
    assert all(latent.norm() == pytest.approx(generator.config.latent_dim**0.5, rel=0.4) for latent in latents)
    assert not latents[0].allclose(latents[120]) and not latents[120].allclose(latents[240])
    assert not latents[0].allclose(GeneratedBed(generator, -1, 1, seed=1).character(0, bed.condition)[0])


@pytest.mark.parametrize("cut_s", [0.001, 9.9, 10.0, 17.3, 29.999])
def test_a_session_taken_up_is_the_session_in_one_go(cut_s: float, tmp_path: Path, monkeypatch) -> None:
    session = noise_session(channels=2, profile=ModulationProfile(tones=(Tone("binaural", 6.0),)))
    render_session(session, tmp_path / "whole.flac", progress=False)

    def interrupted(*arguments, **rest):
        for written, block in enumerate(rendered_blocks(*arguments, **rest)):
            if written * 10 > cut_s - 10:
                yield block[:, : round((cut_s - written * 10) * RATE)]
                raise KeyboardInterrupt
            yield block

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(rendering, "rendered_blocks", interrupted)
        render_session(session, tmp_path / "cut.flac", progress=False)
    assert not (tmp_path / "cut.flac").exists()
    render_session(session, tmp_path / "cut.flac", progress=False)
    whole, cut = (soundfile.read(tmp_path / name, dtype="int16")[0] for name in ("whole.flac", "cut.flac"))
    assert np.abs(whole.astype(int) - cut).max() <= 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_unfinished_session_of_other_settings_is_not_mixed_in(tmp_path: Path, monkeypatch) -> None:
    def broken(*_: object, **__: object):
        yield np.zeros((1, 100), "f4")
        raise KeyboardInterrupt

    path = tmp_path / "night.flac"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(rendering, "rendered_blocks", broken)
        render_session(noise_session(0.3), path, progress=False)
    with pytest.raises(CtxAudioError, match=r"other settings.*--restart"):
        render_session(noise_session(0.2), path, progress=False)
    render_session(noise_session(0.2), path, restart=True, progress=False)
    assert soundfile.info(path).frames == round(0.2 * 60 * RATE)


def test_a_session_has_its_length_level_fades_and_rate(tmp_path: Path) -> None:
    modulation = Modulation(ModulationProfile((Rate(6.0, 0.5),)))
    session = Session(NoiseBed(RATE, 2, 0), modulation, 1.0, Finish(lufs=-30.0, fade_s=2.0))
    session.beds.append(NoiseBed(RATE, 2, 1))
    session.beds[1].level_db = -12.0
    made = render_session(session, tmp_path / "a.wav", progress=False)
    reached = made.reached
    assert reached is not None and read_json(tmp_path / "a.json")["lufs"] == -30.0
    sound, rate = soundfile.read(tmp_path / "a.wav", always_2d=True)
    assert "-30.0 LUFS" in soundfile.SoundFile(tmp_path / "a.wav").comment
    assert (sound.shape, rate) == ((60 * RATE, 2), RATE)
    assert reached.lufs == pytest.approx(-30.0, abs=0.01)
    assert integrated_lufs(sound.T.astype("f4"), rate) == pytest.approx(-30.0, abs=0.02)
    assert np.abs(sound[[0, -1]]).max() < 1e-3 and np.abs(sound.mean(0)).max() < 1e-3
    envelope = hilbert_envelope(sound[5 * RATE : -5 * RATE, 0], rate)
    assert envelope_depth(envelope, rate, 6.0) == pytest.approx(0.5, abs=0.03)


def test_a_schedule_is_followed_across_blocks(tmp_path: Path) -> None:
    schedule = parse_schedule("0:alpha 10 0.5, 0.5:theta 6 0.5", glide_s=5.0)
    modulation = Modulation(ModulationProfile((Rate(10.0, 0.5),)), schedule)
    session = Session(NoiseBed(RATE, 1, 0), modulation, 1.0, Finish())
    render_session(session, tmp_path / "a.flac", progress=False)
    sound, _ = soundfile.read(tmp_path / "a.flac")
    for part, rate_hz in ((sound[: 30 * RATE], 10.0), (sound[36 * RATE :], 6.0)):
        assert envelope_depth(hilbert_envelope(part, RATE), RATE, rate_hz) == pytest.approx(0.5, abs=0.05)


def test_a_long_recording_is_played_from_start_to_end(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.wav", 40.0)
    bed = RecordingBed(path, 1, 0, seconds=30.0)
    played = np.concatenate(list(islice(bed.blocks(), 3)), 1)[0]
    original = soundfile.read(path, dtype="float32")[0][: len(played)] * bed.gain
    np.testing.assert_allclose(played, original, atol=1e-6)


def test_a_recording_with_gaps_is_heard_whole_and_then_not(tmp_path: Path) -> None:
    path = recording(tmp_path / "bell.wav", 3.0)
    bed = RecordingBed(path, 1, 0, seconds=600.0, gap_s=15.0)
    first, second, third, fourth = (block[0] for block in islice(bed.blocks(), 4))
    original = soundfile.read(path, dtype="float32")[0] * bed.gain
    np.testing.assert_allclose(first[RATE : 4 * RATE], original, atol=1e-6)
    assert not first[4 * RATE :].any() and not second.any() and not third.any()
    np.testing.assert_array_equal(fourth, first)
    with pytest.raises(CtxAudioError, match=r"gap_s -1\.0 must be at least 0 and at most 3600"):
        Mixed(path, 0.0, gap_s=-1.0)


def test_a_bed_crosses_over_to_another_condition_at_its_level(trained: Run) -> None:
    generator, _ = load_generator(trained.model_path)
    rate = generator.config.sample_rate
    plain = {name: GeneratedBed(generator, name, 1, seed=0) for name in ("Rain", "Cricket")}
    steps = Step(0, 10.0, condition="Rain"), Step(0.5, 10.0, condition="Cricket")
    bed = GeneratedBed(generator, -1, 1, 0, Schedule(steps, glide_s=30.0))
    assert bed.conditions == ("Rain", "Cricket")
    assert [[name for name, _ in bed.conditions_at(second)] for second in (0, 29, 45, 60)] == [[0], [0], [0, 3], [3]]
    assert [share for _, share in bed.conditions_at(45.0)] == pytest.approx([0.5**0.5] * 2)
    blocks = list(islice(bed.blocks(), 7))
    np.testing.assert_array_equal(blocks[0], next(plain["Rain"].blocks()))
    assert all(integrated_lufs(block[0], rate) == pytest.approx(-27.0, abs=1.5) for block in blocks)
    rain, cricket, before, after = (
        np.log(np.abs(np.fft.rfft(block[0].reshape(-1, 2205))) ** 2).mean(0)
        for block in (*(next(bed.blocks()) for bed in plain.values()), blocks[1], blocks[6])
    )
    for sound, own, other in ((before, rain, cricket), (after, cricket, rain)):
        assert np.abs(sound - own).mean() < 0.5 * np.abs(sound - other).mean()
    with pytest.raises(CtxAudioError, match="Gong"):
        GeneratedBed(generator, -1, 1, 0, Schedule((Step(0, 10.0, condition="Gong"),)))


def test_a_level_of_a_step_is_reached(tmp_path: Path) -> None:
    schedule = Schedule((Step(0, 10.0, 0.0), Step(0.25, 10.0, 0.0, level_db=-12.0)), glide_s=2.0)
    modulation = Modulation(ModulationProfile((Rate(10.0, 0.5),)), schedule)
    sound = np.concatenate(list(rendered_blocks([NoiseBed(RATE, 1, 0)], modulation, 30 * RATE)), 1)[0]
    early, late = (10 * np.log10(np.mean(sound[from_s * RATE :][: 10 * RATE] ** 2)) for from_s in (2, 18))
    assert late - early == pytest.approx(-12.0, abs=0.3)


def test_a_preview_is_that_part_of_the_session() -> None:
    session = noise_session()
    whole = np.concatenate(list(rendered_blocks(session.beds, session.modulation, 30 * RATE)), 1)
    np.testing.assert_allclose(preview(session, 0.1, 3.0), whole[:, 6 * RATE : 9 * RATE], atol=1e-6)
    assert preview(session, 9.0, 60.0).shape == whole.shape


def test_a_preview_is_heard_where_the_session_fades_in() -> None:
    session = noise_session()
    fading = Session(session.beds[0], session.modulation, 0.5, Finish(fade_s=12.0))
    np.testing.assert_array_equal(preview(fading, 0.0, 3.0), preview(session, 0.0, 3.0))


@pytest.mark.parametrize(("seconds", "rate", "channels"), [(3.0, RATE, 1), (15.0, 16000, 2)])
def test_a_short_recording_goes_on_in_excerpts(tmp_path: Path, seconds: float, rate: int, channels: int) -> None:
    bed = RecordingBed(recording(tmp_path / "a.wav", seconds, channels, rate), 2, 0, seconds=600.0, sample_rate=RATE)
    blocks = list(islice(bed.blocks(), 3))
    assert not np.array_equal(blocks[1], blocks[2])
    assert integrated_lufs(np.concatenate(blocks, 1), RATE) == pytest.approx(-27.0, abs=1.0)


def test_what_cannot_be_a_bed_is_refused(tmp_path: Path) -> None:
    with audio_writer(tmp_path / "silent.wav", RATE, 1) as out:
        out.write(np.zeros((1, 2 * RATE), "f4"))
    with pytest.raises(CtxAudioError, match="is silent"):
        RecordingBed(tmp_path / "silent.wav", 1, 0, 60.0)
    with pytest.raises(ClipError, match="no such file"):
        RecordingBed(tmp_path / "none.wav", 1, 0, 60.0)
    with pytest.raises(CtxAudioError, match=r"minutes 0\.0 must be at least 0\.1"):
        noise_session(0.0)


def test_a_session_that_is_being_rendered_is_left_alone(tmp_path: Path) -> None:
    """Two at once mixed their sound: a file of one seed with the provenance of another."""
    path = tmp_path / "night.flac"
    aside = tmp_path / ".night.flac.rendering"
    aside.mkdir()
    with FileLock(aside / ".lock"):
        for restart in (False, True):
            with pytest.raises(CtxAudioError, match=r"another process is rendering .*night\.flac"):
                render_session(noise_session(0.2), path, restart, progress=False)
    render_session(noise_session(0.2), path, progress=False)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["night.flac", "night.json"]


def test_another_seed_is_another_session() -> None:
    session = noise_session(0.2)
    bed, modulation = session.beds[0], session.modulation
    assert Session(bed, modulation, 0.2, Finish(fade_s=1.0)).identity == session.identity  # applied afterwards
    assert Session(NoiseBed(RATE, 1, seed=4), modulation, 0.2, Finish()).identity != session.identity


def crackle(seconds: float = 3.0, channels: int = 2) -> FloatArray:
    """Noise with a few clicks that stand far above it."""
    random = np.random.default_rng(0)
    sound = 0.05 * random.standard_normal((channels, round(seconds * FINE_RATE)))
    places = random.integers(0, sound.shape[1], 12)
    sound[random.integers(0, channels, 12), places] += random.choice([-1.0, 1.0], 12) * random.uniform(0.6, 0.95, 12)
    return sound.astype(np.float32)


def limited(sound: FloatArray, cuts: list[int], ceiling_db: float = -6.0) -> FloatArray:
    return np.concatenate(list(rendering.limited(np.split(sound, cuts, axis=1), ceiling_db, FINE_RATE)), axis=1)


def test_the_true_peak_stays_under_the_ceiling_and_quiet_parts_are_untouched() -> None:
    sound = crackle()
    out = limited(sound, [5000, 30_000])
    assert out.shape == sound.shape
    assert true_peak_db(sound) > -2.0
    assert -6.6 < true_peak_db(out) <= -6.0
    loud = np.abs(sound).max(0) > 0.3
    near = np.convolve(loud, np.ones(2 * round(2.5 * REACH_S * FINE_RATE) + 1), "same") > 0
    np.testing.assert_allclose(out[:, ~near], sound[:, ~near], atol=1e-6)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(np.abs(sound) > 0.01, out / sound, np.nan)
    assert np.nanmax(np.abs(gain[0] - gain[1])) < 1e-4  # the channels share it
    assert np.nanmax(gain) <= 1.0 + 1e-5


@given(st.lists(st.integers(0, 3 * FINE_RATE), max_size=5).map(sorted))
@settings(max_examples=15, deadline=None)
def test_where_the_stream_is_cut_makes_no_difference(cuts: list[int]) -> None:
    sound = crackle()
    out = limited(sound, cuts)
    assert out.shape == sound.shape and true_peak_db(out) <= -6.0
    np.testing.assert_allclose(out, limited(sound, []), atol=2e-3)


def test_quiet_sound_passes_unchanged() -> None:
    sound = (0.05 * np.random.default_rng(1).standard_normal((1, FINE_RATE))).astype(np.float32)
    np.testing.assert_array_equal(limited(sound, [100, 7000]), sound)


def test_a_few_peaks_do_not_make_the_whole_quieter(tmp_path) -> None:
    sound = crackle(30.0)
    layout = Format(FINE_RATE, 2, sound.shape[1])
    made = Provenance("modulate", Modulation(ModulationProfile()), None)
    reached = {
        limit_db: write_finished(
            lambda: iter(np.array_split(sound, 4, axis=1)), layout, Finish(-20.0, limit_db=limit_db),
            tmp_path / f"{limit_db}.wav", made,
        ).reached
        for limit_db in (0.0, 6.0)
    }  # fmt: skip
    written, _ = soundfile.read(tmp_path / "6.0.wav", dtype="float32")
    assert reached[0.0].lufs < -20.5
    assert reached[6.0].lufs == pytest.approx(-20.0, abs=0.01)
    assert integrated_lufs(written.T, FINE_RATE) == pytest.approx(-20.0, abs=0.1)
    assert true_peak_db(written.T) <= -6.0
