"""A night planned as YAML, rendered by the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ctxaudio.cli import main
from ctxaudio.files import read_json
from ctxaudio.signal.audio import read_audio, write_audio

NIGHT = """\
minutes: 0.4
fade_s: 2
steps:
- {minute: 0, rate_hz: 10, condition: Rain}
- {minute: 0.2, rate_hz: 6, level_db: -6, condition: Waves_and_surf}
mix:
- {file: bell.wav, level_db: -10, gap_s: 10}
"""


def test_a_night_is_rendered_as_its_file_says_and_arguments_go_before(tmp_path: Path) -> None:
    (tmp_path / "night.yaml").write_text(NIGHT)
    write_audio(tmp_path / "bell.wav", 0.1 * np.random.default_rng(0).standard_normal(8000).astype("f4"), 8000)
    asked = ["session", "--schedule", str(tmp_path / "night.yaml"), "--channels", "1"]
    assert main([*asked, "--output_path", str(tmp_path / "a.flac")]) == 0
    made = read_json(tmp_path / "a.json")
    assert made["conditions"] == ["Rain", "Waves_and_surf"] and made["sources"][0]["file"] == "bell.wav"
    assert (made["settings"]["minutes"], made["settings"]["finish"]["fade_s"]) == (0.4, 2.0)
    assert (made["settings"]["mix_db"], made["settings"]["mix_gap_s"]) == ([-10.0], [10.0])
    assert made["schedule"]["steps"][1]["level_db"] == -6.0
    sound, sample_rate = read_audio(tmp_path / "a.flac")
    assert sound.shape[1] == round(24 * sample_rate)
    assert main([*asked, "--minutes", "0.1", "--fade_s", "0", "--output_path", str(tmp_path / "b.flac")]) == 0
    shorter = read_json(tmp_path / "b.json")["settings"]
    assert (shorter["minutes"], shorter["finish"]["fade_s"]) == (0.1, 0.0)


def test_a_condition_that_the_bed_does_not_have_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "night.yaml").write_text(NIGHT.partition("mix")[0].replace("Waves_and_surf", "Gong"))
    asked = ["session", "--context", "sleep", "--schedule", str(tmp_path / "night.yaml")]
    assert main([*asked, "--output_path", str(tmp_path / "a.flac")]) == 2
    assert "Gong" in capsys.readouterr().err
