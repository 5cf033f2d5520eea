import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctxaudio import pipeline
from ctxaudio.cli import main
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json
from ctxaudio.modulation.profile import ModulationProfile, Rate, chosen_profile
from ctxaudio.options import Run
from ctxaudio.render.generate import GeneratedClip, generate_clips, trained_condition, write_clips
from ctxaudio.signal.envelope import hilbert_envelope, joint_depths
from ctxaudio.signal.loudness import integrated_lufs, true_peak_db


@pytest.fixture(scope="module")
def generator(trained: Run):
    return pipeline.load_model(trained)[0]


def test_clips_have_the_length_loudness_and_headroom_asked_for(generator):
    for clip in generate_clips(generator, 4, duration_s=2.5):
        assert clip.samples.shape == (round(2.5 * 22050),) and np.isfinite(clip.samples).all()
        assert integrated_lufs(clip.samples, 22050) == pytest.approx(clip.reached.lufs, abs=0.1)
        assert clip.reached.lufs <= -26.9 and true_peak_db(clip.samples) <= -5.99


def test_the_third_clip_does_not_depend_on_how_many_are_asked_for(generator):
    three = list(generate_clips(generator, 3, 1.0, seed=7))
    four = list(generate_clips(generator, 4, 1.0, seed=7))
    assert np.array_equal(three[2].samples, four[2].samples)
    assert not np.array_equal(three[0].samples, next(generate_clips(generator, 1, 1.0, seed=8)).samples)


def test_minus_one_goes_round_the_trained_conditions_and_an_index_stays(generator):
    assert {clip.condition for clip in generate_clips(generator, 3, 1.0)} == {"Rain", "Wind", "Cricket"}
    assert {clip.condition for clip in generate_clips(generator, 3, 1.0, focus_condition=3)} == {"Cricket"}


def test_a_condition_without_training_clips_is_refused(generator):
    with pytest.raises(CtxAudioError, match="no clip of condition 4: choose from -1 random, 0 Rain, 2 Wind, 3 Cricket"):
        next(generate_clips(generator, 1, focus_condition=4))
    for wrong in (9, -2, "", "1.0", "²", "Waves_and_surf"):
        with pytest.raises(CtxAudioError, match=f"condition {wrong}.*: choose from -1 random, 0 Rain"):
            trained_condition(generator, wrong)
    assert [trained_condition(generator, asked) for asked in (-1, "-1", 2, "2", "wind")] == [-1, -1, 2, 2, 2]


def test_the_modulation_asked_for_is_in_the_sound_and_sham_has_none(generator):
    profile = ModulationProfile((Rate(7.83, 0.6),))

    def depth(chosen: ModulationProfile) -> float:
        clips = generate_clips(generator, 1, 8.0, focus_condition=0, profile=chosen)
        return joint_depths(hilbert_envelope(next(clips).samples, 22050), 22050, [7.83])[0]

    assert depth(profile) == pytest.approx(0.6, abs=0.08)
    assert depth(ModulationProfile()) < 0.1


def test_the_files_say_where_they_come_from(trained: Run, tmp_path: Path):
    paths = pipeline.generate(trained, num_samples=2, folder=tmp_path)
    about = read_json(tmp_path / "generated.json")
    assert [entry["file"] for entry in about["clips"]] == [path.name for path in paths]
    assert about["context"] == "sleep" and "depth" in about["profile"]["rates"][0]
    with soundfile.SoundFile(paths[0]) as sound:
        assert (sound.samplerate, sound.channels, sound.subtype) == (22050, 1, "PCM_16")
        assert "context sleep" in sound.comment and "no health claim" in sound.comment


def test_each_file_has_its_own_provenance_beside_it(trained: Run, tmp_path: Path):
    paths = pipeline.generate(trained, num_samples=2, folder=tmp_path)
    _, about = pipeline.load_model(trained)
    listed = read_json(tmp_path / "generated.json")["clips"]
    for path, entry in zip(paths, listed, strict=True):
        beside = read_json(path.with_suffix(".json"))
        assert (beside["file"], beside["conditions"], beside["seed"]) == (path.name, [entry["condition"]], 0)
        assert beside["model"]["sha256"] == about["weights_sha256"]
        assert beside["model"]["attribution"] == about["attribution"] and beside["model"]["licences"]
        assert (beside["lufs"], beside["true_peak_db"]) == (entry["lufs"], entry["true_peak_db"])
        assert beside["true_peak_db"] <= -6.0
        samples, rate = soundfile.read(path, dtype="float32")
        assert beside["lufs"] == pytest.approx(integrated_lufs(samples, rate), abs=0.02)
        assert beside["true_peak_db"] == pytest.approx(true_peak_db(samples), abs=0.05)


def test_a_json_of_someone_else_is_not_overwritten(trained: Run, tmp_path: Path):
    foreign = pipeline.generate(trained, num_samples=1, folder=tmp_path)[0].with_suffix(".json")
    foreign.write_text('{"mine": 1}')
    with pytest.raises(CtxAudioError, match="is another file's"):
        pipeline.generate(trained, num_samples=1, folder=tmp_path)
    assert foreign.read_text() == '{"mine": 1}'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context": "focus"}, "trained with context sleep, not focus: leave out --context"),
        ({"sample_rate": 16000}, "trained with sample_rate 22050, not 16000: leave out --sample_rate"),
        ({"latent_dim": 64}, "trained with latent_dim 100, not 64"),
    ],
)
def test_settings_other_than_the_models_are_refused(trained: Run, change, message):
    with pytest.raises(CtxAudioError, match=message):
        pipeline.generate(dataclasses.replace(trained, **change))


def test_emphasis_is_parsed_or_refused():
    sleep = Run().about
    assert chosen_profile(sleep, None, ["earth=0.5"]).carriers[0].depth == 0.5
    assert chosen_profile(sleep, [], []) == ModulationProfile()
    with pytest.raises(CtxAudioError, match="'alpha' is not NAME=DEPTH"):
        chosen_profile(sleep, ["alpha"], None)


def test_a_jittered_rate_wanders_otherwise_in_each_clip(generator):
    exact = ModulationProfile((Rate(6.0, 0.5),))

    def gains(profile: ModulationProfile) -> list[np.ndarray]:
        moving = generate_clips(generator, 2, 4.0, focus_condition=0, profile=profile)
        steady = generate_clips(generator, 2, 4.0, focus_condition=0, profile=profile.sham())
        found = []
        for ours, bed in zip(moving, steady, strict=True):
            loud = np.flatnonzero(np.abs(bed.samples) > 1e-3)
            found.append(np.interp(np.arange(88200), loud, ours.samples[loud] / bed.samples[loud]))
        return found

    assert np.corrcoef(*gains(exact))[0, 1] > 0.99
    assert np.corrcoef(*gains(exact.jittered()))[0, 1] < 0.7


def run_generate(trained: Run, folder: Path, *arguments: str) -> int:
    model = ["--model_path", str(trained.model_path), "--output_dir", str(folder), "--duration", "1"]
    return main(["generate", *model, *arguments])


def test_generate_respects_the_comfort_limits(trained: Run, tmp_path: Path, capsys):
    deep = ["--num_samples", "1", "--bands", "gamma=0.9", "--targets"]
    assert run_generate(trained, tmp_path, *deep) == 2
    assert "is over 0.3 (roughness): less, or --beyond_comfort" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert run_generate(trained, tmp_path, *deep, "--beyond_comfort") == 0


def test_clips_of_an_earlier_generate_are_refused_or_replaced_and_never_mixed_in(trained: Run, tmp_path: Path, capsys):
    (tmp_path / "mine_01_Rain.json").write_text("[not a provenance]")
    (tmp_path / "mine.wav").write_bytes(b"mine")
    assert run_generate(trained, tmp_path, "--num_samples", "3") == 0
    three = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "generated.json").unlink()  # as a kill would leave it
    assert run_generate(trained, tmp_path, "--num_samples", "1", "--seed", "4") == 2
    assert "holds 3 clips of an earlier generate: pass --overwrite" in capsys.readouterr().err
    assert {path.name for path in tmp_path.glob("sleep_*")} == {name for name in three if name.startswith("sleep_")}
    assert run_generate(trained, tmp_path, "--num_samples", "1", "--seed", "4", "--overwrite") == 0
    assert len(list(tmp_path.glob("sleep_*.wav"))) == len(list(tmp_path.glob("sleep_*.json"))) == 1
    assert (tmp_path / "mine.wav").exists() and (tmp_path / "mine_01_Rain.json").exists()


def test_clips_that_fail_half_way_leave_the_earlier_ones_as_they_were(trained: Run, generator, tmp_path: Path):
    pipeline.generate(trained, num_samples=2, folder=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    _, about = pipeline.load_model(trained)

    def interrupted() -> Iterator[GeneratedClip]:
        yield next(generate_clips(generator, 1, 1.0, seed=4))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_clips(interrupted(), tmp_path, about, overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_the_model_knows_need_not_be_given(trained: Run, tmp_path: Path, capsys):
    assert run_generate(trained, tmp_path, "--num_samples", "1", "--focus_condition", "cricket") == 0
    (clip,) = tmp_path.glob("*.wav")
    assert clip.name == "sleep_01_Cricket.wav" and soundfile.info(clip).samplerate == 22050
    capsys.readouterr()
    assert run_generate(trained, tmp_path / "b", "--focus_condition", "Crickt") == 2
    error = capsys.readouterr().err
    assert "condition Crickt (did you mean Cricket?): choose from -1 random, 0 Rain" in error
    assert run_generate(trained, tmp_path / "b", "--context", "focus") == 2
    assert "trained with context sleep, not focus: leave out --context" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
