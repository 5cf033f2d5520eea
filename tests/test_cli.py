import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ctxaudio.cli import build_parser, main
from ctxaudio.files import write_wav
from ctxaudio.run import Run


def one_line_and_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    code: object = None
    try:
        code = main(arguments)
    except SystemExit as exit_:
        code = exit_.code
    error = capsys.readouterr().err
    assert code == 2, (code, error)
    assert len(error.strip().splitlines()) == 1 and "Traceback" not in error
    return error


REFERENCE = {
    "train": {
        "data_dir": Path("data"), "output_dir": Path("output"), "context": "sleep", "sample_rate": 22050,
        "duration": 4.0, "latent_dim": 100, "batch_size": 16, "num_epochs": 100, "lr": 0.0002, "lambda_aux": 1.0,
        "num_workers": 4, "log_interval": 10, "sample_interval": 1, "save_interval": 10,
    },
    "generate": {"num_samples": 5, "focus_condition": -1, "context": "sleep", "latent_dim": 100},
}  # fmt: skip


@pytest.mark.parametrize("command", REFERENCE)
def test_every_argument_of_the_reference_keeps_its_name_and_default(command):
    needed = ["--model_path", "m"] if command == "generate" else []
    options = vars(build_parser().parse_args([command, *needed]))
    assert {name: options[name] for name in REFERENCE[command]} == REFERENCE[command]


def test_the_references_mode_is_understood(trained: Run, tmp_path: Path, capsys):
    model = ["--model_path", str(trained.model_path), "--num_samples", "1", "--duration", "1"]
    assert main(["--mode", "generate", "--context", "sleep", *model, "--output_dir", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("sleep_01_*.wav"))) == 1
    assert "evidence for context sleep: grade D" in capsys.readouterr().out
    assert "neither train nor generate" in one_line_and_two(["--mode", "play"], capsys)


def test_generate_then_analyze(trained: Run, tmp_path: Path, capsys):
    model = ["--model_path", str(trained.model_path), "--output_dir", str(tmp_path)]
    assert main(["generate", *model, "--num_samples", "2", "--bands", "--targets", "schumann=0.5"]) == 0
    assert main(["analyze", str(tmp_path)]) == 0
    assert {"analysis.csv", "analysis.json", "analysis.png"} <= {path.name for path in tmp_path.iterdir()}
    assert "schumann_depth" in capsys.readouterr().out


def test_prepare_says_which_data_it_uses_in_its_first_line(recordings: Path, tmp_path: Path, capsys):
    assert main(["prepare", "--data_dir", str(recordings), "--output_dir", str(tmp_path), "--num_workers", "1"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"data: recordings in {recordings}"
    assert any("vetoed by its label Thunder" in line for line in printed)


def test_without_recordings_the_embedded_corpus_is_said_to_be_used(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", "--context", "energy", "--num_workers", "1"]) == 0
    assert capsys.readouterr().out.startswith("data: embedded corpus, synthesised, no recordings")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--context", "slep"], "unknown context 'slep'"),
        (["train", "--data_dir", "missing"], "missing: no such folder"),
        (["train", "--data_dir", "."], "is missing in ."),
        (["train", "--batch_size", "0"], "batch_size 0 must be above 0"),
        (["train", "--sample_rate", "100"], "sample_rate 100 is outside"),
        (["train", "--device", "abacus"], "device 'abacus' is not to be had"),
        (["train", "--lr", "fast"], "invalid float value: 'fast'"),
        (["generate", "--model_path", "nothing.safetensors"], "no model at nothing.safetensors"),
        (["generate"], "required: --model_path"),
        (["analyze", "nowhere"], "nowhere is not a folder"),
        (["course", "--preset", "huge"], "huge"),
        (["sing"], "invalid choice: 'sing'"),
        ([], "required: COMMAND"),
    ],
)
def test_a_mistake_gets_one_line_and_two(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert message in one_line_and_two(arguments, capsys)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_focus_condition_out_of_range_is_named(trained: Run, tmp_path: Path, capsys):
    model = ["--model_path", str(trained.model_path), "--output_dir", str(tmp_path)]
    assert "condition 17" in one_line_and_two(["generate", *model, "--focus_condition", "17"], capsys)
    assert "condition -2" in one_line_and_two(["generate", *model, "--focus_condition", "-2"], capsys)


def test_a_silent_folder_is_no_traceback(tmp_path: Path, capsys):
    write_wav(tmp_path / "silence.wav", np.zeros(88200, np.float32), 22050)
    assert "silence" in one_line_and_two(["analyze", str(tmp_path)], capsys)


@pytest.mark.skipif(os.name == "nt", reason="Windows marks folders read-only in another way")
def test_an_output_folder_that_cannot_be_written_to_is_named(tmp_path: Path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert f"can't write into {blocked}" in one_line_and_two(["prepare", "--output_dir", str(blocked)], capsys)


def test_a_full_disk_is_named_and_leaves_nothing(trained: Run, tmp_path: Path, monkeypatch, capsys):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    model = ["--model_path", str(trained.model_path), "--output_dir", str(tmp_path)]
    assert "No space left on device" in one_line_and_two(["generate", *model], capsys)
    assert list(tmp_path.iterdir()) == []


def test_python_dash_m_answers_without_loading_torch():
    code = "import sys; from ctxaudio.cli import main; main(['contexts']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="pipes end in another way on Windows")
def test_a_reader_that_stops_reading_is_no_traceback():
    command = [sys.executable, "-u", "-m", "ctxaudio", "contexts"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
