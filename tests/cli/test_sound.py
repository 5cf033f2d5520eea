"""`ctxaudio modulate` and `ctxaudio session`, from the command line to what the written files hold."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctxaudio.cli import main
from ctxaudio.files import FloatArray
from ctxaudio.options import Run
from ctxaudio.signal.envelope import Array, envelope_depth, hilbert_envelope, modulation_spectrum
from ctxaudio.signal.loudness import integrated_lufs, true_peak_db

RATE = 16000


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """12 s of white noise, quiet enough that no modulation clips it."""
    path = tmp_path / "noise.wav"
    soundfile.write(path, 0.05 * np.random.default_rng(0).standard_normal(12 * RATE), RATE)
    return path


def exit_code(arguments: list[str]) -> object:
    try:
        return main(arguments)
    except SystemExit as exit_:  # an argument that argparse refuses
        return exit_.code


def modulated(source: Path, name: str, *arguments: str) -> FloatArray:
    """`[channels, T]` of what the command writes."""
    out = source.parent / name
    assert main(["modulate", str(source), str(out), *arguments]) == 0
    return soundfile.read(out, dtype="float32", always_2d=True)[0].T


def depth_without_own(sound: FloatArray, plain: FloatArray, rate_hz: float) -> float:
    """Depth of `sound`'s envelope as a multiple of `plain`'s, so that what the noise does by itself is out."""
    moved, own = (hilbert_envelope(x, RATE)[RATE // 10 : -RATE // 10] for x in (sound, plain))
    angle = 2 * np.pi * rate_hz * np.arange(len(own)) / RATE
    basis = np.stack([own, own * np.cos(angle), own * np.sin(angle)])
    mean, cosine, sine = np.linalg.solve(basis @ basis.T, basis @ moved)
    return float(np.hypot(cosine, sine) / mean)


@pytest.mark.parametrize("rate_hz", [2.5, 7.83, 14.1, 40.0])
def test_the_written_depth_is_exact_within_a_tenth_of_a_decibel(noise: Path, rate_hz: float) -> None:
    plain = soundfile.read(noise, dtype="float32")[0]
    sound = modulated(noise, "a.wav", "--method", "am", "--rate_hz", str(rate_hz), "--depth", "0.3", "--lufs", "off")
    assert abs(20 * np.log10(depth_without_own(sound[0], plain, rate_hz) / 0.3)) < 0.1
    beside = np.array([rate_hz + offset for offset in (-0.4, -0.2, 0.2, 0.4)])
    assert all(depth_without_own(sound[0], plain, hz) < 0.15 for hz in beside[beside > 0.2])
    assert np.sum(sound**2) == pytest.approx(np.sum(plain**2), rel=0.02)


def test_rates_that_were_not_asked_for_stay_within_a_decibel(noise: Path) -> None:
    plain = soundfile.read(noise, dtype="float32")[0]
    sound = modulated(noise, "a.wav", "--method", "am", "--rate_hz", "6", "--depth", "0.5", "--lufs", "off")[0]
    for low_hz, high_hz in ((1.0, 5.0), (7.0, 13.0), (13.0, 30.0), (30.0, 90.0)):
        rates_hz = np.arange(low_hz, high_hz, 1 / 12)

        def rms(samples: FloatArray, rates_hz: Array = rates_hz) -> float:
            return float(np.sqrt(np.mean(modulation_spectrum(hilbert_envelope(samples, RATE), RATE, rates_hz) ** 2)))

        assert abs(20 * np.log10(rms(sound) / rms(plain))) < 1.0


def test_loudness_and_peak_are_set_and_kept(noise: Path) -> None:
    sound = modulated(noise, "a.flac", "--profile", "alpha", "--depth", "0.4")
    assert integrated_lufs(sound[0], RATE) == pytest.approx(-27.0, abs=0.05)
    capped = modulated(noise, "b.wav", "--profile", "alpha", "--lufs", "-12", "--true_peak", "-6")
    assert true_peak_db(capped[0]) == pytest.approx(-6.0, abs=0.1)
    off = modulated(noise, "c.wav", "--profile", "sham", "--lufs", "off")
    np.testing.assert_array_equal(off[0], soundfile.read(noise, dtype="float32")[0])


def test_the_sham_is_as_loud_and_the_jittered_control_as_deep(noise: Path) -> None:
    asked = ["--method", "am", "--rate_hz", "8", "--depth", "0.5"]
    plain = soundfile.read(noise, dtype="float32")[0]
    exact, sham, jittered = (
        modulated(noise, f"{name}.wav", *asked, *extra)[0]
        for name, extra in (("e", []), ("s", ["--control", "sham"]), ("j", ["--control", "jittered"]))
    )
    for control in (sham, jittered):
        assert integrated_lufs(control, RATE) == pytest.approx(integrated_lufs(exact, RATE), abs=0.05)
    assert depth_without_own(sham, plain, 8.0) < 0.002
    assert depth_without_own(jittered, plain, 8.0) < 0.25 < depth_without_own(exact, plain, 8.0)
    loud = np.abs(plain) > 0.02
    gain = np.convolve(jittered[loud] / plain[loud], np.ones(5) / 5, "valid")
    assert np.std(gain) / np.mean(gain) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


def test_a_binaural_beat_leaves_each_ear_flat(noise: Path) -> None:
    sound = modulated(noise, "a.flac", "--method", "binaural", "--rate_hz", "6", "--tone_db", "0", "--lufs", "off")
    plain = soundfile.read(noise, dtype="float32")[0]
    tone = sound - plain
    ears = [envelope_depth(hilbert_envelope(ear, RATE)[RATE:-RATE], RATE, 6.0) for ear in tone]
    assert max(ears) < 2e-3
    assert envelope_depth(hilbert_envelope(tone.sum(0), RATE)[RATE:-RATE], RATE, 6.0) == pytest.approx(2 / 3, abs=0.01)
    assert integrated_lufs(tone, RATE) == pytest.approx(integrated_lufs(np.stack([plain, plain]), RATE), abs=0.1)


def test_stereo_stays_stereo_and_one_rate_moves_both(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, 0.05 * np.random.default_rng(0).standard_normal((4 * RATE, 2)), RATE)
    sound = modulated(path, "a.wav", "--method", "isochronic", "--rate_hz", "5")
    left, right = (envelope_depth(hilbert_envelope(channel, RATE), RATE, 5.0) for channel in sound)
    assert left == pytest.approx(right, rel=0.1) and left > 0.5


def test_the_file_says_where_it_comes_from(noise: Path, capsys: pytest.CaptureFixture[str]) -> None:
    modulated(noise, "a.flac", "--context", "meditation")
    said = capsys.readouterr().out
    assert "target meditation (6 Hz) D" in said and "ctxaudio contexts" in said
    beside = json.loads((noise.parent / "a.json").read_text())
    assert beside["context"] == "meditation" and beside["profile"]["rates"][-1]["rate_hz"] == 6.0
    assert beside["sources"][0]["file"] == "noise.wav"
    comment = soundfile.SoundFile(noise.parent / "a.flac").comment
    assert "6 Hz m 0.2" in comment and "no health claim" in comment


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to modulate"),
        (["--profile", "omega"], "unknown profile 'omega'"),
        (["--profile", "alpha", "--method", "am", "--rate_hz", "6"], "not both"),
        (["--method", "am"], "needs --rate_hz"),
        (["--method", "am", "--rate_hz", "150"], "rate_hz 150.0 must be above 0 and at most 100"),
        (["--method", "am", "--rate_hz", "nan"], "rate_hz nan must be"),
        (["--method", "am", "--rate_hz", "40", "--depth", "0.5"], "--beyond_comfort"),
        (["--method", "binaural", "--rate_hz", "6", "--carrier_hz", "900"], "on 200-500 Hz"),
        (["--rate_hz", "6"], "goes with --method"),
        (["--profile", "alpha", "--lufs", "loud"], "neither a number nor off"),
        (["--profile", "alpha", "--lufs", "3"], "lufs 3.0 must be above -70 and at most -10"),
        (["--schedule", "0:alpha 20"], "not in the band alpha"),
        (["--schedule", "none.yaml"], "can't read none.yaml"),
        (["--method", "am", "--rate_hz", "6", "--control", "none"], "invalid choice: 'none'"),
        (["--method", "stereo", "--rate_hz", "6"], "invalid choice: 'stereo'"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    noise: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(["modulate", str(noise), str(noise.parent / "a.wav"), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
    assert [path.name for path in noise.parent.iterdir()] == ["noise.wav"]


@pytest.mark.parametrize(
    ("source", "out", "message"),
    [
        ("none.wav", "a.wav", "no such file"),
        ("noise.wav", "noise.wav", "is the input itself"),
        ("noise.wav", "a.aiff", "ends in .wav, .flac, .ogg, .opus, .mp3"),
        ("text.wav", "a.wav", "not readable as audio"),
        ("noise.wav", "noise.wav/a.wav", "can't write"),
    ],
)
def test_files_that_cannot_be_read_or_written(
    noise: Path, source: str, out: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (noise.parent / "text.wav").write_text("no sound")
    given = ["modulate", str(noise.parent / source), str(noise.parent / out), "--profile", "alpha"]
    assert main(given) == 2
    assert message in capsys.readouterr().err


def test_a_schedule_from_yaml_is_followed(noise: Path) -> None:
    steps = noise.parent / "steps.yaml"
    steps.write_text(
        "glide_s: 1\nsteps:\n- {minute: 0, band: alpha, rate_hz: 10, depth: 0.4}\n- {minute: 0.1, rate_hz: 5}\n"
    )
    sound = modulated(noise, "a.wav", "--schedule", str(steps))[0]
    for part, rate_hz, depth in ((sound[: 6 * RATE], 10.0, 0.4), (sound[7 * RATE :], 5.0, 0.2)):
        assert envelope_depth(hilbert_envelope(part, RATE), RATE, rate_hz) == pytest.approx(depth, abs=0.03)


def test_with_a_schedule_the_depths_of_its_steps_are_what_comfort_limits(noise: Path) -> None:
    out = noise.parent / "a.wav"
    assert main(["modulate", str(noise), str(out), "--schedule", "0:gamma 40 0.2"]) == 0
    deeper = ["--schedule", "0:alpha 10 0.2, 0.1:gamma 40 0.5"]
    assert main(["modulate", str(noise), str(out.with_name("b.wav")), *deeper]) == 2


def test_a_session_from_a_generator_and_from_a_recording(
    trained: Run, noise: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "night.flac"
    asked = ["session", "--output_path", str(out), "--minutes", "0.3"]
    assert main([*asked, "--model_path", str(trained.model_path), "--schedule", "0:alpha 10, 0.1:theta 6"]) == 0
    said = capsys.readouterr().out
    assert "context sleep" in said and "band alpha" in said and "target meditation (6 Hz)" in said
    sound, rate = soundfile.read(out, dtype="float32")
    assert (sound.shape, rate) == ((18 * 22050, 2), 22050)
    assert integrated_lufs(sound.T, rate) == pytest.approx(-27.0, abs=0.05)
    beside = json.loads((tmp_path / "night.json").read_text())
    assert beside["model"]["attribution"]
    recorded = "modulation 10 Hz m 0.2 from 0 min, 6 Hz m 0.2 from 0.1 min"  # the depths of the schedule
    assert recorded in said and recorded in soundfile.SoundFile(out).comment
    assert [(rate["rate_hz"], rate["depth"]) for rate in beside["profile"]["rates"]] == [(10.0, 0.2)]
    assert [(step["rate_hz"], step["depth"]) for step in beside["schedule"]["steps"]] == [(10.0, 0.2), (6.0, 0.2)]
    recording = ["--input", str(noise), "--profile", "sham", "--overwrite"]
    assert main(["session", "--output_path", str(out), "--minutes", "0.3", *recording]) == 0
    assert soundfile.info(out).samplerate == RATE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model_path", "a.safetensors", "--input", "b.wav"], "give --model_path or --input"),
        (["--model_path", "none.safetensors"], "no model at none.safetensors"),
        (["--input", "none.wav", "--profile", "sham"], "no such file"),
        (["--input", "noise.wav"], "say what to modulate"),
        (["--input", "noise.wav", "--profile", "sham", "--minutes", "-1"], "minutes -1.0 must be at least 0.1"),
        (["--input", "noise.wav", "--profile", "sham", "--fade_s", "-1"], "fade_s -1.0 must be at least 0"),
        (["--input", "noise.wav", "--profile", "sham", "--seed", "-1"], "seed -1 must be at least 0"),
        (["--context", "slep"], "did you mean sleep?"),
        (["--focus_condition", "Rian"], "did you mean Rain?"),
    ],
)
def test_a_sessions_mistakes_are_one_line(
    noise: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(noise.parent)
    assert main(["session", "--output_path", "a.flac", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
    assert [path.name for path in noise.parent.iterdir()] == ["noise.wav"]


def test_the_provenance_of_another_file_is_not_lost(noise: Path, capsys: pytest.CaptureFixture[str]) -> None:
    modulated(noise, "x.wav", "--profile", "alpha")
    beside = (noise.parent / "x.json").read_bytes()
    assert main(["modulate", str(noise.parent / "x.wav"), str(noise.parent / "x.flac"), "--profile", "theta"]) == 2
    assert "x.json would be overwritten and is another file's" in capsys.readouterr().err
    assert (noise.parent / "x.json").read_bytes() == beside and not (noise.parent / "x.flac").exists()
    modulated(noise, "x.wav", "--profile", "theta", "--overwrite")  # its own it may replace
    assert main(["modulate", str(noise), str(noise.parent / "x.aiff"), "--profile", "theta"]) == 2
    assert "ends in .wav, .flac" in capsys.readouterr().err


def test_a_finished_sound_is_replaced_only_where_that_is_asked_for(
    noise: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(noise.parent)
    session = ["session", "--input", "noise.wav", "--minutes", "0.1", "--output_path", "a.wav", "--profile"]
    for command in (["modulate", "noise.wav", "a.wav", "--profile"], session):
        Path("a.wav").unlink(missing_ok=True)
        assert main([*command, "alpha"]) == 0
        before = Path("a.wav").read_bytes()
        assert main([*command, "theta"]) == 2
        told = "ctxaudio: a.wav is there already: pass --overwrite to replace it, or choose another name\n"
        assert capsys.readouterr().err == told and Path("a.wav").read_bytes() == before
        assert main([*command, "theta", "--overwrite"]) == 0
        assert Path("a.wav").read_bytes() != before


@pytest.mark.parametrize("suffix", [".ogg", ".opus", ".mp3"])
def test_compressed_files_keep_the_rate(noise: Path, suffix: str) -> None:
    sound = modulated(noise, f"a{suffix}", "--method", "am", "--rate_hz", "6", "--depth", "0.4")[0]
    rate = soundfile.info(noise.parent / f"a{suffix}").samplerate
    assert envelope_depth(hilbert_envelope(sound, rate)[rate:-rate], rate, 6.0) == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("suffix", [".ogg", ".opus", ".mp3"])
def test_compressed_files_keep_the_level(noise: Path, suffix: str) -> None:
    sound = modulated(noise, f"a{suffix}", "--profile", "sham")[0]
    rate = soundfile.info(noise.parent / f"a{suffix}").samplerate
    assert integrated_lufs(sound, rate) == pytest.approx(-27.0, abs=1.0)  # Vorbis adds .8 to white noise


@pytest.mark.skipif(os.name == "nt", reason="named pipes are POSIX")
def test_pipes_are_refused_at_once(noise: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(noise.parent)
    os.mkfifo("pipe.wav")
    os.mkfifo("pipe.yaml")
    assert main(["modulate", "pipe.wav", "a.wav", "--profile", "alpha"]) == 2
    assert main(["modulate", "noise.wav", "a.wav", "--schedule", "pipe.yaml"]) == 2
    assert main(["session", "--input", "pipe.wav", "--output_path", "a.flac", "--profile", "sham"]) == 2
