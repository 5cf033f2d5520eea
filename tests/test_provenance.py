from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ctxaudio.contexts import CONTEXTS, SAFE_LISTENING, TARGETS
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json, write_json
from ctxaudio.modulation.profile import Carrier, ModulationProfile, Rate, Tone, context_profile
from ctxaudio.modulation.schedule import Modulation, parse_schedule
from ctxaudio.provenance import Credit, Provenance, json_beside, source_file, write_attribution
from ctxaudio.signal.audio import WAV_COMMENT_BYTES, audio_writer
from ctxaudio.signal.loudness import LoudnessGain

SLEEP = CONTEXTS["sleep"]
CREDITS = [{"clip": "7", "title": "Rän", "uploader": "ann", "licence": "http://creativecommons.org/licenses/by/4.0/"}]
MODEL = {
    "weights_sha256": "ab" * 32,
    "ctxaudio": "0.1.0",
    "context": "sleep",
    "licences": {"http://creativecommons.org/licenses/by/4.0/": 1},
    "attribution": CREDITS,
}


def provenance(**changes) -> Provenance:
    modulation = Modulation(context_profile(SLEEP))
    settings = {"minutes": 480.0}
    values = {"context": "sleep", "conditions": ("Rain",), "seed": 3, "model": MODEL, "settings": settings, **changes}
    return Provenance("session", modulation, reached=LoudnessGain(0.5, -27.0, -9.3), **values)


@pytest.mark.parametrize("name", ["night.wav", "night.flac"])
def test_the_comment_comes_back_from_the_file_and_says_it_all(tmp_path: Path, name: str) -> None:
    with audio_writer(tmp_path / name, 8000, 1, provenance().comment()) as out:
        out.write(np.zeros(8000, np.float32))
    with soundfile.SoundFile(tmp_path / name) as sound:
        comment = sound.comment
    assert comment == provenance().comment()
    for said in (
        *("session", "context sleep", "condition Rain", "2.5 Hz m 0.2", "seed 3", "-27.0 LUFS, -9.3 dBTP"),
        *("model abababababab", "1 clips (1 cc-by)", "target deep_sleep (2.5 Hz) D", "H.870", "no health claim"),
    ):
        assert said in comment


def test_the_json_beside_holds_credits_grades_and_what_it_takes_to_make_the_file_again(tmp_path: Path) -> None:
    path = provenance().write_beside(tmp_path / "night.flac")
    assert path == tmp_path / "night.json"
    about = read_json(path)
    assert about["file"] == "night.flac" and about["made_by"] == "ctxaudio session" and about["seed"] == 3
    assert about["model"]["attribution"] == CREDITS and about["model"]["sha256"] == MODEL["weights_sha256"]
    assert ModulationProfile.from_dict(about["profile"]) == context_profile(SLEEP)
    assert about["evidence"][0] == {
        "subject": "context sleep",
        "grade": "D",
        "says": SLEEP.evidence.says,
        "source": SLEEP.evidence.source,
    }
    assert about["settings"] == {"minutes": 480.0} and about["safe_listening"] == SAFE_LISTENING
    assert (about["lufs"], about["true_peak_db"]) == (-27.0, -9.3)


long_text = st.text(max_size=3000)


@given(st.lists(long_text, max_size=4), long_text, long_text, st.dictionaries(long_text, st.integers(1, 99)))
def test_the_comment_is_short_ascii_whatever_it_is_told(
    conditions: list[str], context: str, file: str, licences: dict[str, int]
) -> None:
    told = Provenance(
        "session",
        Modulation(ModulationProfile(tuple(Rate(1.0 + k, 0.01) for k in range(60)))),
        "sleep",
        tuple(conditions),
        model=MODEL | {"context": context, "licences": licences},
        sources=({"file": file},),
    ).comment()
    assert told.isascii() and len(told) <= WAV_COMMENT_BYTES and told.isprintable() and told.endswith(SAFE_LISTENING)


@pytest.mark.parametrize("lufs", [-np.inf, np.nan])
def test_silence_is_valid_json(lufs: float) -> None:
    silent = replace(provenance(), reached=LoudnessGain(1.0, lufs, -np.inf))
    assert json.loads(json.dumps(silent.as_json(), allow_nan=False))["lufs"] is None
    assert "LUFS" not in silent.comment()


def test_text_that_no_file_can_hold_is_credited_all_the_same(tmp_path: Path) -> None:
    half = "rain \ud83c"  # half an emoji: valid JSON, no UTF-8
    write_attribution(tmp_path / "A.md", [Credit(half, half, half, half)], half)
    assert "rain ?" in (tmp_path / "A.md").read_text(encoding="utf-8")
    model = MODEL | {"context": half, "licences": {half: 1}, "attribution": [{"title": half}]}
    told = provenance(conditions=(half,), model=model, sources=({"file": half},))
    assert told.comment().isascii()
    assert read_json(told.write_beside(tmp_path / "night.flac"))["conditions"] == ["rain ?"]


def test_the_file_of_someone_else_is_not_overwritten(tmp_path: Path) -> None:
    provenance().write_beside(tmp_path / "night.flac")
    provenance().write_beside(tmp_path / "night.flac")  # its own it may replace
    write_json(tmp_path / "rain.json", {"ctxaudio": "a model's, say"})
    with pytest.raises(CtxAudioError, match=r"rain\.json would be overwritten.*another name than rain\.wav"):
        json_beside(tmp_path / "rain.wav")


def test_a_source_is_known_by_its_hash(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"abc")
    told = source_file(tmp_path / "a.wav")
    assert (told["file"], told["bytes"], told["sha256"][:8]) == ("a.wav", 3, "ba7816bf")  # FIPS 180-2, appendix B.1


def subjects(profile: ModulationProfile, schedule: str = "") -> list[str]:
    return list(Provenance("modulate", Modulation(profile, parse_schedule(schedule) if schedule else None)).claims)


def test_every_target_is_graded_where_it_is_used() -> None:
    for target in TARGETS.values():
        if target.kind == "rate":
            assert subjects(ModulationProfile((Rate(target.frequency_hz, 0.1),)))[0].startswith(f"target {target.name}")
        else:
            carrier = ModulationProfile(carriers=(Carrier(target.frequency_hz, 0.1),))
            assert subjects(carrier)[0].startswith(f"target {target.name}")


def test_claims_follow_rates_tones_pulses_and_schedules() -> None:
    binaural = ModulationProfile(tones=(Tone("binaural", 6.0, 432.0),))
    assert subjects(binaural) == ["target earth (432 Hz)", "target meditation (6 Hz)", "binaural beats"]
    assert subjects(ModulationProfile((Rate(10.0, 0.2, pulse=True),))) == ["band alpha (8-13 Hz)", "isochronic pulses"]
    assert subjects(ModulationProfile(tones=(Tone("isochronic", 10.0),)))[-1] == "isochronic pulses"
    assert subjects(ModulationProfile((Rate(9.0, 0.1),)), "0:10, 1:6, 2:2.6, 3:40 0") == [
        "target meditation (6 Hz)",
        "band delta (1-4 Hz)",
        "band alpha (8-13 Hz)",
    ]
    assert subjects(ModulationProfile((Rate(2.5, 0.2),)).sham()) == []
    assert subjects(ModulationProfile((Rate(0.2, 0.3),))) == []  # slower than any band: a swell


def test_what_is_printed_is_one_line_with_the_grades_and_where_to_read_on() -> None:
    line = Provenance("generate", Modulation(context_profile(SLEEP)), "sleep").evidence_line()
    assert "context sleep D, target deep_sleep (2.5 Hz) D, band delta (1-4 Hz) B" in line
    assert "ctxaudio contexts" in line and "\n" not in line


@pytest.mark.parametrize(
    ("profile", "says", "named"),
    [
        (
            ModulationProfile((Rate(40.0, 0.5),)),
            "9 Hz m 0.2 from 0 min, 6 Hz m 0.3 from 1 min",
            {"meditation", "alpha"},
        ),
        (ModulationProfile((Rate(40.0, 0.5),)).sham(), "none (sham of 9 Hz)", set()),
        (
            ModulationProfile(tones=(Tone("binaural", 40.0 / 2),)),
            "binaural 9 Hz on 250 Hz m 1 from 0 min, binaural 6 Hz on 250 Hz m 1 from 1 min",
            {"meditation", "alpha", "binaural"},
        ),
    ],
)
def test_a_schedule_is_recorded_in_place_of_the_rate_that_it_moves(profile, says, named) -> None:
    heard = Modulation(profile, parse_schedule("0:9, 1:theta 6 0.3"))
    assert heard.text() == says
    claims = " ".join(Provenance("modulate", heard).claims)
    assert {name for name in ("meditation", "alpha", "beta", "gamma", "binaural") if name in claims} == named


def test_texts() -> None:
    profile = ModulationProfile((Rate(16.0, 0.3, pulse=True, jitter=0.3),), (), (Tone("binaural", 6.0, 250.0),))
    assert Modulation(profile).text() == ("16 Hz pulses m 0.3 jittered by 0.3, binaural 6 Hz on 250 Hz m 1")
    assert Modulation(ModulationProfile()).text() == "none"
    assert "trained on clips of unknown licence;" in provenance(model=MODEL | {"licences": {}}).comment()
    licences = {"http://creativecommons.org/licenses/by/3.0/": 3, "CC0 (synthesised)": 40}
    comment = provenance(model=MODEL | {"licences": licences}).comment()
    assert "trained on 43 clips (40 CC0 (synthesised), 3 cc-by);" in comment
