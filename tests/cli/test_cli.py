import itertools
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from filelock import FileLock

from ctxaudio import pipeline
from ctxaudio.cli import command_parser, main
from ctxaudio.contexts import CONTEXTS
from ctxaudio.files import read_json
from ctxaudio.options import Run
from ctxaudio.signal.audio import write_audio
from ctxaudio.training.config import NO_LIMIT_OF_EPOCHS

README = Path(__file__).parents[2] / "README.md"


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
    "generate": {"num_samples": 5, "focus_condition": "-1", "context": "sleep", "latent_dim": 100},
}  # fmt: skip


@pytest.mark.parametrize("command", REFERENCE)
def test_every_argument_of_the_reference_keeps_its_name_and_default(command):
    options = vars(command_parser(command).parse([]))
    assert {name: options[name] for name in REFERENCE[command]} == REFERENCE[command]


def test_the_references_mode_is_understood(trained: Run, tmp_path: Path, capsys):
    model = ["--model_path", str(trained.model_path), "--num_samples", "1", "--duration", "1"]
    assert main(["--mode", "generate", "--context", "sleep", *model, "--output_dir", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("sleep_01_*.wav"))) == 1
    assert "evidence grades: context sleep D" in capsys.readouterr().out
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
        (["train", "--from_scratch", "--data_dir", "missing"], "missing: no such folder"),
        (["train", "--from_scratch", "--data_dir", "."], ". is empty"),
        (["train", "--batch_size", "0"], "batch_size 0 must be at least 1 and at most 4096"),
        (["train", "--sample_rate", "100"], "sample_rate 100 must be at least 8000 and at most 48000"),
        (["train", "--device", "abacus"], "device 'abacus' is not to be had"),
        (["train", "--lr", "fast"], "invalid float value: 'fast'"),
        (["train", "--seed", "99999999999999"], "seed 99999999999999 must be at least 0 and at most 2147483647"),
        (["train", "--seed", "-1"], "seed -1 must be at least 0"),
        (["train", "--init_from", "nothing.safetensors"], "no model at nothing.safetensors"),
        (["train", "--init_from", "m.safetensors", "--resume"], "give one of them"),
        (["generate", "--model_path", "nothing.safetensors"], "no model at nothing.safetensors"),
        (["train", "--init_from", "m.safetensors", "--from_scratch"], "give one of them"),
        (["pretrain"], "required: --output_dir"),
        (["pretrain", "--output_dir", "out", "--corpora", "0"], "corpora 0 must be at least 1"),
        (["analyze", "nowhere"], "nowhere is not a folder"),
        (["course", "--preset", "huge"], "huge"),
        (["trian"], "unknown command 'trian' (did you mean train?)"),
        (["train", "--epochs", "3"], "unknown argument --epochs (did you mean --num_epochs?)"),
        (["train", "--output", "out"], "unknown argument --output (did you mean --output_dir?)"),
        (["generate", "--context", "Focus"], "unknown context 'Focus' (did you mean focus?)"),
        (["train", "--batch_size", "1000000000"], "batch_size 1000000000 must be at least 1 and at most 4096"),
        (["train", "--devices", "1000000"], "devices"),
        (["train", "--device", "meta"], "device 'meta' is not to be had"),
        (["train", "--lr", "nan"], "lr nan must be above 0 and at most 1"),
        (["--fast"], "unknown argument --fast"),
        (["pretrain", "--output_dir", "out", "--corpora=--"], "--corpora=-- gives no value"),
        (["course", "--preset", "a\nb"], "a\\nb"),
        (["prepare", "--data_dir", "x" * 300], "File name too long"),
        (["evaluate", "--model_path", "x" * 300], "File name too long"),
        (["evaluate", "--data_dir", "none"], "required: --model_path"),
    ],
)
def test_a_mistake_gets_one_line_and_two(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert message in one_line_and_two(arguments, capsys)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_selection_options_reach_the_clips_and_are_not_for_own_sound(recordings: Path, tmp_path: Path, capsys):
    prepare = ["prepare", "--data_dir", str(recordings), "--output_dir", str(tmp_path), "--num_workers", "1"]
    assert main([*prepare, "--labels", "Wind,Cricket", "--exclude", "Wind-000"]) == 0
    printed = capsys.readouterr().out
    assert "1 excluded by --exclude" in printed and "prepared 7 clips" in printed
    assert "none of" in one_line_and_two([*prepare, "--licenses", "cc-by-nc"], capsys)
    assert "unknown licences 'free'" in one_line_and_two([*prepare, "--licenses", "free"], capsys)
    write_own_sound(tmp_path / "own")
    own = ["prepare", "--data_dir", str(tmp_path / "own"), "--output_dir", str(tmp_path / "out")]
    assert "is your own sound" in one_line_and_two([*own, "--licenses", "cc0"], capsys)


def write_own_sound(folder: Path) -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal((48000 * 3, 2))
    for name in ("brook/a.flac", "brook/b.ogg", "Old fan/c.mp3"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, noise, 48000)
    soundfile.write(folder / "Old fan" / "long.wav", np.tile(noise[:, 0], 12)[: 48000 * 33], 48000)
    (folder / "brook" / "notes.txt").write_text("Sunday")


def test_own_sound_from_folder_to_files_and_from_there_to_a_finer_model(tmp_path: Path, capsys):
    write_own_sound(tmp_path / "own")
    common = ["--data_dir", str(tmp_path / "own"), "--context", "focus", "--num_workers", "1", "--batch_size", "2"]
    once = ["--num_epochs", "1", "--duration", "1"]
    assert main(["train", *common, *once, "--from_scratch", "--output_dir", str(tmp_path / "first")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"data: your own sound in {tmp_path / 'own'}")
    assert "brook/notes.txt: not readable as audio" in printed
    model = tmp_path / "first" / "models" / "generator_final.safetensors"
    about = read_json(model.with_suffix(".json"))
    assert about["config"]["conditions"] == ["Old fan", "brook"] and about["licences"] == {"own": 4}
    assert {entry["title"] for entry in about["attribution"]} == {"a.flac", "b.ogg", "long.wav"}  # c.mp3 is held out
    assert '- "a.flac" by' in model.with_name("ATTRIBUTION.md").read_text()
    assert {path.name for path in (tmp_path / "first" / "samples" / "epoch_0001").glob("*.wav")} == {
        "Old fan.wav",
        "brook.wav",
    }
    generate = ["generate", "--context", "focus", "--model_path", str(model), "--num_samples", "2", "--duration", "1"]
    assert main([*generate, "--output_dir", str(tmp_path / "sounds"), "--focus_condition", "0"]) == 0
    assert {path.name for path in (tmp_path / "sounds").glob("*.wav")} == {
        "focus_01_Old fan.wav",
        "focus_02_Old fan.wav",
    }
    capsys.readouterr()
    assert "-1 random, 0 Old fan, 1 brook" in one_line_and_two([*generate, "--focus_condition", "2"], capsys)
    tuned = ["--init_from", str(model), "--output_dir", str(tmp_path / "second")]
    assert main(["train", *common, *once, *tuned]) == 0
    finer = read_json(tmp_path / "second" / "models" / "generator_final.json")
    assert finer["init_from"] == {
        "conditions": ["Old fan", "brook"],
        "weights_sha256": about["weights_sha256"],
        "context": "focus",
    }
    assert about["init_from"] is None and finer["attribution"] == about["attribution"]


def test_focus_condition_out_of_range_is_named(trained: Run, tmp_path: Path, capsys):
    model = ["--model_path", str(trained.model_path), "--output_dir", str(tmp_path)]
    assert "seen no clip of condition 17: choose from -1 random" in one_line_and_two(
        ["generate", *model, "--focus_condition", "17"], capsys
    )
    assert "seen no clip of condition -2: choose from -1 random" in one_line_and_two(
        ["generate", *model, "--focus_condition", "-2"], capsys
    )


def test_a_silent_folder_is_no_traceback(tmp_path: Path, capsys):
    write_audio(tmp_path / "silence.wav", np.zeros(88200, np.float32), 22050)
    assert "silence" in one_line_and_two(["analyze", str(tmp_path)], capsys)


@pytest.mark.skipif(os.name == "nt", reason="Windows marks folders read-only in another way")
def test_an_output_folder_that_cannot_be_written_to_is_named(tmp_path: Path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert f"can't write into {blocked}" in one_line_and_two(["prepare", "--output_dir", str(blocked)], capsys)


@pytest.fixture
def small_disk():
    """No file may grow beyond 50 kB: the system's own refusal, as of a full disk, to whoever writes."""
    resource = pytest.importorskip("resource", reason="file size limits are POSIX")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_named_and_leaves_nothing(trained: Run, tmp_path: Path, small_disk, capsys):
    model = ["--model_path", str(trained.model_path), "--output_dir", str(tmp_path)]
    error = one_line_and_two(["generate", *model], capsys)
    assert "can't write" in error and "File too large" in error and "free space" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["contexts"], ["--help"], ["train", "--help"], ["generate", "--help"]])
def test_it_answers_without_loading_torch(arguments: list[str]):
    code = """import sys
from ctxaudio.cli import main
try: main(sys.argv[1:])
except SystemExit: pass
sys.exit('torch' in sys.modules)"""
    assert subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=False).returncode == 0


def test_help_starts_within_half_a_second():
    def seconds(*arguments: str) -> float:
        before = resource_usage()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        return resource_usage() - before

    resource = pytest.importorskip("resource", reason="processor time of a child is POSIX")

    def resource_usage() -> float:  # of processors: the machine may be busy
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    assert min(seconds("-m", "ctxaudio", "--help") for _ in range(3)) < 0.5


def test_a_bare_call_prints_the_help_and_is_an_error_to_scripts(capsys):
    assert main([]) == 2
    printed = capsys.readouterr()
    assert "usage: ctxaudio" in printed.out and "contexts" in printed.out and printed.err == ""


def test_help_may_be_asked_for_as_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, usage in ((["help"], "usage: ctxaudio "), (["help", "demo"], "usage: ctxaudio demo ")):
        with pytest.raises(SystemExit, match="0"):
            main(arguments)
        assert usage in capsys.readouterr().out


#: What lets the command end at once, for another reason.
NOTHING_THERE = {"train": ["--data_dir", "none"], "pretrain": [], "evaluate": []}


@pytest.mark.parametrize(
    ("command", "there", "told"),
    [
        (["train"], "checkpoints/latest.pt", "holds a training: --resume goes on with it, --overwrite begins anew"),
        (["pretrain", "--data_dir", "none"], "checkpoints/latest.pt", "--resume goes on with it, --overwrite begins"),
        (["evaluate", "--model_path", "none"], "evaluation.json", "is there already: pass --overwrite to replace"),
    ],
)
def test_hours_of_work_are_replaced_only_where_that_is_asked_for(
    command: list[str], there: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("hours")
    assert main([*command, "--output_dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert main([*command, "--output_dir", str(tmp_path), "--overwrite", *NOTHING_THERE[command[0]]]) == 2
    error = capsys.readouterr().err
    assert "none" in error and told not in error


def test_the_readme_s_table_names_arguments_and_defaults_as_the_dataclasses_do():
    rows = re.findall(r"^\| (?:(\w+): )?(`--[^|]+) \| ([^|]+) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    told = set()
    for command, names, defaults in rows:
        known = vars(command_parser(command or "train").parse([]))
        for name, default in itertools.zip_longest(re.findall(r"`--(\w+)`", names), defaults.split(", ")):
            told.add(name)
            if default and default.startswith("`"):
                assert type(known[name])(default.strip("`")) == known[name], name
            else:  # a word such as none, off, the base
                assert known[name] in (None, False), name
    assert {field.name for field in fields(Run)} < told and len(told) > 20


@pytest.mark.skipif(os.name == "nt", reason="pipes end in another way on Windows")
def test_a_reader_that_stops_reading_is_no_traceback():
    command = [sys.executable, "-u", "-m", "ctxaudio", "contexts"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
@pytest.mark.parametrize("arguments", [["contexts"], ["--help"], ["train", "--help"], ["--version"]])
def test_a_full_device_is_one_line(arguments: list[str]):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "ctxaudio", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "ctxaudio: can't write the output: No space left on device\n")


@pytest.mark.skipif(os.name != "posix", reason="descriptors are closed in another way on Windows")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_descriptors_are_no_traceback(closed: str):
    command = f"{sys.executable} -m ctxaudio contexts {closed}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert done.returncode in (0, 2)


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text are Linux's")
def test_a_path_that_is_no_text_is_named_in_any_encoding(tmp_path: Path):
    missing = os.fsencode(tmp_path) + b"/caf\xe9"
    command = [
        sys.executable,
        "-m",
        "ctxaudio",
        "prepare",
        "--data_dir",
        missing,
        "--output_dir",
        str(tmp_path / "out"),
    ]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 2 and b"Traceback" not in done.stderr and b"caf\\udce9" in done.stdout


def test_a_second_training_into_the_same_folder_is_refused_in_one_line(recordings: Path, tmp_path: Path, capsys):
    train = ["train", "--data_dir", str(recordings), "--output_dir", str(tmp_path), "--from_scratch"]
    with FileLock(tmp_path / ".training.lock"):
        assert f"another training writes into {tmp_path}" in one_line_and_two(train, capsys)
    assert not (tmp_path / "models").exists()


def test_the_demo_makes_sham_beside_modulated_for_every_context(tmp_path: Path, capsys):
    assert main(["demo", "--output_dir", str(tmp_path), "--duration", "1"]) == 0
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert (tmp_path / "index.html").as_uri() in capsys.readouterr().out
    players = re.findall(r'<audio [^>]*src="([^"]+)"', page)
    assert len(players) == 10 and len(re.findall(r"<h2>", page)) == 5
    for context, (sham, modulated) in zip(CONTEXTS, zip(players[::2], players[1::2], strict=True), strict=True):
        assert sham.startswith(f"{context}/sham/") and modulated.startswith(f"{context}/modulated/")
        pair = [read_json((tmp_path / path).with_suffix(".json")) for path in (sham, modulated)]
        assert pair[0]["conditions"] == pair[1]["conditions"] and pair[0]["seed"] == pair[1]["seed"]
        assert all(rate["depth"] == 0 for rate in pair[0]["profile"]["rates"])
        assert any(rate["depth"] > 0 for rate in pair[1]["profile"]["rates"])
        sounds = [soundfile.read(tmp_path / path)[0] for path in (sham, modulated)]
        assert len(sounds[0]) == len(sounds[1]) and not np.array_equal(*sounds)
        assert abs(pair[0]["lufs"] - pair[1]["lufs"]) < 0.5


@pytest.mark.parametrize(
    ("given", "epochs"),
    [([], 100), (["--max_minutes", "10"], NO_LIMIT_OF_EPOCHS), (["--max_minutes", "10", "--num_epochs", "3"], 3)],
)
def test_where_the_minutes_decide_the_default_epochs_do_not(
    given: list[str], epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = []

    def train(run, config, *others):
        asked.append(config.num_epochs)
        return SimpleNamespace(interrupted=False)

    monkeypatch.setattr(pipeline, "train", train)
    assert main(["train", *given]) == 0
    assert asked == [epochs]
