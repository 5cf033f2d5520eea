"""One model for all contexts: their conditions, their clips, no modulation, through every command."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ctxaudio.cli import main
from ctxaudio.contexts import ALL, CONTEXTS, VETOES_EVERYWHERE, catalogue, context_named
from ctxaudio.course.teaching import notebook_run
from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.data.fsd50k import Clip, Index, read_index
from ctxaudio.data.selection import Selection, SelectionOptions, select_clips
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json
from ctxaudio.modulation.profile import ModulationProfile, context_profile, named_profile

LABELS = [*ALL.conditions, "Bird", "Thunder", "Music", "Drip", "Crow", "Speech", "Doorbell", "Animal"]
RECORDINGS = Path(__file__).parents[2] / "shared" / "recordings"


def clip(clip_id: str, labels: tuple[str, ...]) -> Clip:
    return Clip(clip_id, Path(f"{clip_id}.wav"), labels, "train", "", "", "CC0")


def placed(selection: Selection) -> dict[str, str]:
    names = (selection.context.conditions[i] for i in selection.conditions)
    return dict(zip((clip.clip_id for clip in selection.clips), names, strict=True))


def test_all_has_every_condition_once_in_the_order_of_the_contexts_and_is_none_of_them() -> None:
    assert set(ALL.conditions) == {label for context in CONTEXTS.values() for label in context.conditions}
    assert len(ALL.conditions) == len(set(ALL.conditions)) == 26
    assert ALL.conditions[:6] == (*CONTEXTS["sleep"].conditions, "Stream")
    assert context_named("all") is ALL and "all" not in CONTEXTS and len(CONTEXTS) == 5
    assert set(catalogue()["contexts"]) == set(CONTEXTS) and catalogue()["all"]["conditions"] == ALL.conditions


def test_all_modulates_nothing_and_claims_nothing() -> None:
    assert context_profile(ALL) == named_profile("all") == ModulationProfile()
    assert ALL.evidence.grade == "D" and "No claim of its own" in ALL.evidence.says


INDICES = st.lists(st.lists(st.sampled_from(LABELS), min_size=1, max_size=4, unique=True), min_size=1, max_size=30)


@given(INDICES)
def test_all_takes_exactly_the_clips_that_some_context_takes_each_for_a_condition_it_has_there(
    rows: list[list[str]],
) -> None:
    sure = clip("sure", ("Rain",)), clip("sure too", ("Gong",))  # no context is left without a clip
    more = [clip(f"{name} sure", (context.conditions[-1],)) for name, context in CONTEXTS.items()]
    index = Index((*sure, *more, *(clip(str(i), tuple(labels)) for i, labels in enumerate(rows))))
    each = [placed(select_clips(index, context)) for context in CONTEXTS.values()]
    together = placed(select_clips(index, ALL))
    assert set(together) == {clip_id for one in each for clip_id in one}
    for i, labels in enumerate(rows):
        if offered := {one[str(i)] for one in each if str(i) in one}:
            assert together[str(i)] == min(offered, key=labels.index), "the first of its labels that counts somewhere"


@pytest.mark.parametrize(
    ("labels", "condition"),
    [
        (("Rain", "Bird"), None),  # sleep, which alone has Rain, wants no birds
        (("Stream", "Bird"), "Stream"),  # relaxation takes it, focus would not
        (("Gong", "Rain"), "Gong"),
        (("Rain", "Thunder", "Stream"), None),
        (("Rain", "Bird", "Stream"), "Stream"),  # no rain for sleep, but a stream for relaxation
        (("Bell", "Drum_kit"), "Drum_kit"),  # meditation wants no drums
        (("Rain", "Speech"), None),  # vetoed everywhere
    ],
)
def test_a_clip_is_taken_where_one_context_takes_it(labels: tuple[str, ...], condition: str | None) -> None:
    selection = select_clips(Index((clip("sure", ("Wind",)), clip("asked", labels))), ALL)
    assert placed(selection).get("asked") == condition
    reasons = {left_out.clip_id: left_out.reason for left_out in selection.left_out}
    assert ("asked" in reasons) == (condition is None)
    assert condition or "vetoed by its label" in reasons["asked"]


def test_labels_of_ones_own_make_one_context_of_all() -> None:
    clips = {"a": ("Rain", "Bird"), "b": ("Rain",), "c": ("Thunder",), "d": ("Meow", "Bird"), "e": ("Wind",)}
    index = Index(tuple(clip(clip_id, labels) for clip_id, labels in clips.items()))
    selection = select_clips(index, ALL, SelectionOptions(labels=("Thunder", "Rain", "Meow")))
    assert placed(selection) == {"a": "Rain", "b": "Rain", "c": "Thunder", "d": "Meow"}
    assert selection.context.conditions == ("Thunder", "Rain", "Meow")
    with pytest.raises(CtxAudioError, match="label Dog is kept out of context 'all'"):
        select_clips(index, ALL, SelectionOptions(labels=("Rain", "Dog")))


def test_the_embedded_corpus_has_every_condition(tmp_path: Path) -> None:
    index = read_index(write_embedded_corpus(tmp_path, ALL.conditions, clips_per_label=1))
    selection = select_clips(index, ALL)
    assert set(placed(selection).values()) == set(ALL.conditions)
    assert [left_out.clip_id for left_out in selection.left_out] == ["Thunder-Rain-000"]


@pytest.mark.skipif(not RECORDINGS.exists(), reason="the recordings lie beside the project, not in it")
def test_the_recordings_are_taken_as_their_contexts_take_them() -> None:
    index = read_index(RECORDINGS)
    together = placed(select_clips(index, ALL))
    each = [placed(select_clips(index, context)) for context in CONTEXTS.values()]
    assert set(together) == {clip_id for one in each for clip_id in one}
    assert all(label not in VETOES_EVERYWHERE for c in index.clips if c.clip_id in together for label in c.labels)


def test_from_training_to_a_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write_embedded_corpus(tmp_path / "corpus", ["Rain", "Gong", "Stream", "Snare_drum"], clips_per_label=2)
    common = ["--context", "all", "--output_dir", str(tmp_path / "run")]
    data = ["--data_dir", str(corpus), "--num_workers", "1"]
    once = ["--batch_size", "2", "--num_epochs", "1", "--duration", "1"]
    assert main(["train", "--from_scratch", *common, *data, *once]) == 0
    model = tmp_path / "run" / "models" / "generator_final.safetensors"
    about = read_json(model.with_suffix(".json"))
    assert about["context"] == "all" and tuple(about["config"]["conditions"]) == ALL.conditions
    generate = ["generate", *common, "--model_path", str(model), "--duration", "2"]
    gong = ["--focus_condition", str(ALL.conditions.index("Gong"))]
    assert main([*generate, *gong, "--num_samples", "1", "--targets", "earth=0.5"]) == 0
    printed = capsys.readouterr().out
    assert "evidence grades: context all D, target earth (432 Hz) D" in printed
    sound = tmp_path / "run" / "all_01_Gong.wav"
    assert read_json(sound.with_suffix(".json"))["conditions"] == ["Gong"]
    assert main(["modulate", str(sound), str(tmp_path / "same.wav"), "--context", "all"]) == 0
    assert read_json(tmp_path / "same.json")["profile"]["rates"] == []
    assert main([*generate, "--focus_condition", str(ALL.conditions.index("Bell"))]) == 2
    assert "seen no clip of condition 21" in capsys.readouterr().err
    assert main(["analyze", str(tmp_path / "run")]) == 0
    night = tmp_path / "night.wav"
    assert main(["session", "--model_path", str(model), "--output_path", str(night), "--minutes", "0.25", *gong]) == 0
    assert soundfile.info(night).duration == 15.0 and read_json(night.with_suffix(".json"))["context"] == "all"


def test_own_sound_has_conditions_of_its_own_under_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write_embedded_corpus(tmp_path / "corpus", ["Rain", "Gong"], clips_per_label=2)
    own = tmp_path / "own"
    for path in (corpus / "FSD50K.dev_audio").iterdir():
        (own / path.name[:4]).mkdir(parents=True, exist_ok=True)
        path.rename(own / path.name[:4] / path.name)
    given = ["--context", "all", "--data_dir", str(own), "--output_dir", str(tmp_path / "out"), "--num_workers", "1"]
    assert main(["prepare", *given]) == 0
    assert "context all: 5 clips" in capsys.readouterr().out


def test_a_notebook_is_about_one_context(tmp_path: Path) -> None:
    values = {"sample_rate": 22050, "duration": 4.0, "latent_dim": 100, "seed": 0}
    with pytest.raises(CtxAudioError, match="'all' has no modulation for the notebooks to follow: take sleep, focus"):
        notebook_run([], context="all", data_dir="data", output_dir=str(tmp_path), **values)
    assert not list(tmp_path.iterdir())
