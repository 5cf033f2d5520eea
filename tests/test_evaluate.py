import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from ctxaudio.analysis.embeddings import embedding_named
from ctxaudio.cli import main
from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluate import dcase
from ctxaudio.evaluate.evaluation import evaluate
from ctxaudio.evaluate.material import RealSound, generated_sound, real_sound
from ctxaudio.evaluate.results import evaluation_table, printed_table, write_evaluation
from ctxaudio.files import write_wav
from ctxaudio.model.checkpoint import load_generator
from ctxaudio.run import Run
from ctxaudio.signal.profile import ModulationProfile

RATE = 22050


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["evaluate", *arguments]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1 and error.startswith("ctxaudio: ")
    return error


def strict_json(path: Path) -> dict:
    def never(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    return json.loads(path.read_text(), parse_constant=never)


def noise(seed: int, seconds: float = 2.0) -> np.ndarray:
    return (0.05 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


@pytest.fixture(scope="module")
def folder(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sub-folders by condition: Rain are copies of training clips, Cricket is noise, Wind a single clip."""
    root = tmp_path_factory.mktemp("made")
    real = real_sound(recordings, ("Rain", "Cricket", "Wind"), RATE, "val")
    for i, clip in enumerate(list(real.training["Rain"].values())[:3]):
        write_wav(root / "Rain" / f"{i}.wav", 0.5 * clip[: 4 * RATE], RATE)
        write_wav(root / "Cricket" / f"{i}.wav", noise(i), RATE)
    write_wav(root / "Wind" / "0.wav", noise(9), RATE)
    return root


def test_a_folder_is_compared_with_real_clips_and_everything_stands_beside_something(
    folder: Path, recordings: Path, tmp_path: Path, capsys
):
    given = ["--generated_dir", str(folder), "--data_dir", str(recordings), "--output_dir", str(tmp_path)]
    assert main(["evaluate", *given, "--split", "train"]) == 0
    printed = capsys.readouterr().out
    assert "train split of" in printed and "note: Wind: 1 generated clip" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"evaluation.json", "evaluation.csv", "evaluation.png"}
    found = {one["condition"]: one for one in strict_json(tmp_path / "evaluation.json")["conditions"]}
    rain, cricket, wind = found["Rain"]["kernel"]["texture"], found["Cricket"]["kernel"]["texture"], found["Wind"]
    assert rain["generated"] < rain["matched_noise"] < cricket["generated"]
    assert cricket["generated"] == pytest.approx(cricket["white_noise"], rel=0.2)
    assert wind["kernel"] == {} and wind["diversity"] is None and wind["generated_clips"] == 1
    assert found["Rain"]["recall"] == 1.0 and found["Cricket"]["recall"] == 0.0
    table = pd.read_csv(tmp_path / "evaluation.csv").set_index("condition")
    assert table.loc["Rain", "kernel_generated"] == pytest.approx(rain["generated"])
    assert table.loc["mean", "kernel_generated"] == pytest.approx((rain["generated"] + cricket["generated"]) / 2)


def test_copies_of_training_clips_are_named(folder: Path, recordings: Path):
    real = real_sound(recordings, ("Rain", "Cricket"), RATE, "val")
    generated = generated_sound(folder, RATE)[0]
    figures = {one.condition: one for one in evaluate(real, generated, RATE).conditions}
    assert {copy.clip for copy in figures["Rain"].copies} == {"Rain/0.wav", "Rain/1.wav", "Rain/2.wav"}
    assert {copy.training_clip for copy in figures["Rain"].copies} == set(list(real.training["Rain"])[:3])
    assert figures["Rain"].memorisation_ratio < 0.5 and figures["Cricket"].copies == []


def test_a_model_is_compared_without_modulation_and_it_says_so(trained: Run, recordings: Path, tmp_path: Path, capsys):
    model = ["--model_path", str(trained.model_path), "--data_dir", str(recordings), "--output_dir", str(tmp_path)]
    assert main(["evaluate", *model, "--num_samples", "2", "--duration", "1.5"]) == 0
    printed = capsys.readouterr().out
    assert "without modulation, beside the val split" in printed and "/" in printed
    content = strict_json(tmp_path / "evaluation.json")
    assert [one["condition"] for one in content["conditions"]] == ["Rain", "Wind", "Cricket"]
    assert content["conditions"][0]["floor_of"] == "training clips"
    assert content["notes"], "one real clip of each condition in val is too few, and that is said"


def test_where_sets_are_too_small_it_says_so_and_nothing_is_nan(tmp_path: Path):
    real = RealSound({"Rain": {"a": noise(0)}, "Wind": {"b": noise(1), "c": noise(2)}}, {}, "two")
    generated = {"Rain": {"x": noise(3), "y": noise(4)}, "Wind": {"z": noise(5), "w": noise(6)}, "Gong": {}}
    evaluation = evaluate(real, generated, RATE)
    notes = " | ".join(evaluation.notes)
    for said in (
        "Rain: 1 real clip: a distance",
        "Wind: no real-to-real floor",
        "Gong: left out",
        "separability needs",
    ):
        assert said in notes
    write_evaluation(evaluation, tmp_path, {})
    content = strict_json(tmp_path / "evaluation.json")
    assert content["conditions"][1]["kernel"]["texture"]["real_floor"] is None
    assert content["overall"]["recall"] is None and content["overall"]["kernel_generated"] is not None
    assert "nan" not in printed_table(evaluation).lower()
    assert evaluation_table(evaluation)["generated_clips"].tolist() == [2, 2, 4]


def test_nothing_in_common_is_an_error():
    with pytest.raises(CtxAudioError, match="nothing to compare: Rain: left out, there is no generated clip"):
        evaluate(RealSound({"Rain": {"a": noise(0)}}, {}, ""), {"Rain": {}}, RATE)


def test_a_flat_folder_is_of_its_label_or_of_what_generated_json_says(tmp_path: Path, capsys):
    for i in range(2):
        write_wav(tmp_path / f"{i}.wav", noise(i), RATE)
    assert "say what its clips are with --label" in refused(["--generated_dir", str(tmp_path)], capsys)
    assert set(generated_sound(tmp_path, RATE, "Rain")[0]["Rain"]) == {"0.wav", "1.wav"}
    listed = [{"file": "0.wav", "condition": "Rain"}, {"file": "1.wav", "condition": "Wind"}]
    (tmp_path / "generated.json").write_text(json.dumps({"clips": listed}))
    sounds, _ = generated_sound(tmp_path, RATE)
    assert {name: list(clips) for name, clips in sounds.items()} == {"Rain": ["0.wav"], "Wind": ["1.wav"]}
    (tmp_path / "generated.json").write_text(json.dumps({"clips": [{"file": "../0.wav", "condition": "Rain"}]}))
    assert "points outside" in generated_sound(tmp_path, RATE)[1][0]


def test_real_clips_may_be_a_plain_folder_too(folder: Path, tmp_path: Path, capsys):
    given = ["--generated_dir", str(folder), "--data_dir", str(folder), "--output_dir", str(tmp_path)]
    assert main(["evaluate", *given]) == 0
    table = pd.read_csv(tmp_path / "evaluation.csv").set_index("condition")
    assert table.loc["Cricket", "kernel_generated"] <= 0.0
    flat = ["--generated_dir", str(folder / "Rain"), "--label", "Rain", "--data_dir", str(folder / "Rain")]
    assert main(["evaluate", *flat, "--output_dir", str(tmp_path)]) == 0


def test_more_clips_than_asked_for_are_left_out_by_chance_and_noted(recordings: Path):
    real = real_sound(recordings, ("Rain",), RATE, "train", most=2)
    assert len(real.reference["Rain"]) == 2 and "2 of 4 real clips" in real.notes[0]


def test_a_toy_embedding_of_the_users_own_is_printed_beside_the_texture(
    folder: Path, tmp_path: Path, monkeypatch, capsys
):
    (tmp_path / "toy_embedding.py").write_text(
        "import numpy as np\n"
        "def two_numbers(samples, sample_rate):\n"
        "    assert samples.dtype == np.float32 and samples.ndim == 1 and sample_rate == 22050\n"
        "    return [np.abs(samples).mean(), np.abs(np.diff(samples)).mean()]\n"
        "def wrong(samples, sample_rate):\n"
        "    return np.full((2, 3), np.nan)\n"
    )
    monkeypatch.chdir(tmp_path)
    given = ["--generated_dir", str(folder), "--data_dir", str(folder), "--output_dir", str(tmp_path / "out")]
    assert main(["evaluate", *given, "--embedding", "toy_embedding:two_numbers"]) == 0
    assert "toy_embedding:two_numbers_kernel" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "out" / "evaluation.csv")
    assert table["toy_embedding:two_numbers_kernel_generated"].notna().any()
    assert "finite numbers" in refused([*given, "--embedding", "toy_embedding:wrong"], capsys)
    assert "has no function 'absent'" in refused([*given, "--embedding", "toy_embedding:absent"], capsys)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("panns", "pip install panns_inference"),
        ("clap", "pip install laion_clap"),
        ("vggish", "pip install torchvggish"),
        ("yamnet", "none of panns, clap, vggish, nor module:function"),
        ("no_such_module:f", "can't import no_such_module"),
        (":f", "can't name a module"),
    ],
)
def test_an_embedding_that_is_not_there_is_one_line(folder: Path, name, message, capsys, tmp_path):
    out = ["--data_dir", str(folder), "--output_dir", str(tmp_path / "out")]
    assert message in refused(["--generated_dir", str(folder), *out, "--embedding", name], capsys)
    assert not (tmp_path / "out").exists()


def test_the_known_packages_are_called_as_they_document_it(tmp_path: Path, monkeypatch):
    (tmp_path / "panns_inference.py").write_text(
        "class AudioTagging:\n"
        "    def __init__(self, checkpoint_path, device): pass\n"
        "    def inference(self, audio): return None, audio[:, :2048]\n"
    )
    (tmp_path / "laion_clap.py").write_text(
        "class CLAP_Module:\n"
        "    def __init__(self, enable_fusion): self.loaded = False\n"
        "    def load_ckpt(self): self.loaded = True\n"
        "    def get_audio_embedding_from_data(self, x, use_tensor):\n"
        "        assert self.loaded and not use_tensor\n"
        "        return x[:, :512]\n"
    )
    package = tmp_path / "torchvggish"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import torch\nfrom . import vggish_input\n"
        "class vggish:\n"
        "    def eval(self): return self\n"
        "    def forward(self, examples): return torch.ones(len(examples), 128)\n"
    )
    (package / "vggish_input.py").write_text(
        "def waveform_to_examples(data, sample_rate): return [0] * int(len(data) / sample_rate / 0.96)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    shapes = {name: embedding_named(name)(noise(0), RATE).shape for name in ("panns", "clap", "vggish")}
    assert shapes == {"panns": (1, 2048), "clap": (1, 512), "vggish": (2, 128)}
    assert embedding_named("vggish")(noise(0, 0.4), RATE).shape == (1, 128)


def test_the_export_has_the_form_of_dcase_task_7(trained: Run, tmp_path: Path):
    generator, about = load_generator(trained.model_path)
    written = dcase.write_dcase(generator, about, tmp_path, ModulationProfile(), clips=2)
    assert list(written) == ["Rain", "Wind", "Cricket"]
    for name, paths in written.items():
        assert sorted((tmp_path / name).iterdir()) == paths
        assert [path.name for path in paths] == ["000.wav", "001.wav"]
        for path in paths:
            about_file = soundfile.info(path)
            assert (about_file.samplerate, about_file.channels, about_file.subtype) == (22050, 1, "PCM_16")
            assert about_file.frames == 4 * 22050
    first, second = (soundfile.read(path)[0] for path in written["Rain"])
    assert np.abs(first - second).max() > 0.01
    assert dcase.CLIPS == 100
    assert strict_json(tmp_path / "generated.json")["attribution"] == about["attribution"]


def test_the_export_alone_needs_no_real_clips(trained: Run, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(dcase, "write_dcase", partial(dcase.write_dcase, clips=1))
    assert main(["evaluate", "--model_path", str(trained.model_path), "--dcase_dir", str(tmp_path / "d")]) == 0
    assert "3 clips of Rain, Wind, Cricket" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "d")


def test_mistakes_are_one_line(folder: Path, trained: Run, tmp_path: Path, capsys):
    model, made = ["--model_path", str(trained.model_path)], ["--generated_dir", str(folder)]
    for arguments, message in (
        ([], "give --model_path or --generated_dir"),
        ([*model, *made], "give --model_path or --generated_dir"),
        ([*made, "--dcase_dir", str(tmp_path)], "leave out --dcase_dir"),
        ([*model, "--label", "Rain"], "leave out --label"),
        ([*made, "--num_samples", "1"], "2 or more"),
        ([*made, "--label", "Rain", "--data_dir", str(folder)], "has sub-folders"),
        ([*made, "--data_dir", str(folder), "--split", "eval"], "no eval split"),
        ([*made, "--data_dir", str(tmp_path / "none")], "no such folder"),
        (["--generated_dir", str(tmp_path / "none")], "no such folder"),
    ):
        assert message in refused([*arguments, "--output_dir", str(tmp_path / "out")], capsys)
