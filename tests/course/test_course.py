"""Running notebooks, with small notebooks made here in place of the course's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import nbformat.v4 as nb
import pytest

from ctxaudio.course import course
from ctxaudio.course.course import PRESETS, course_parameters, run_course
from ctxaudio.course.teaching import NOTEBOOKS, NUMBERED
from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.errors import CtxAudioError
from ctxaudio.options import Run
from ctxaudio.pipeline import DataSource

TRY = "try"
PARAMETERS = """\
context: str = "sleep"
data_dir: str = "./data"
output_dir: str = ""
sample_rate: int = 22050
duration: float = 4.0
latent_dim: int = 100
seed: int = 0
interactive: bool = True"""
DUMP = """\
import json, pathlib
kinds = (str, int, float)
names = [name for name in list(globals()) if name[0] != "_" and isinstance(globals()[name], kinds)]
path = pathlib.Path(output_dir or ".") / "seen_{name}.json"
_ = path.write_text(json.dumps({{name: globals()[name] for name in names}}))"""
LEAVE_RESULTS = """\
from ctxaudio.files import write_json
from ctxaudio.signal.audio import write_audio
import numpy, pathlib
run = pathlib.Path(output_dir)
training = {"config": {}, "steps": 3, "seconds": 6.0, "seconds_per_step": 2.0, "interrupted": False}
credit = {"clip": "1", "title": "T", "uploader": "U", "licence": "CC0"}
write_json(run / "models/generator_final.json", {"training": training, "attribution": [credit], "licences": {"CC0": 1}})
no_distances = {"all_conditions": None, "by_condition": {}}
no_figures = {"texture_distance": no_distances, "modulation": [], "reference": "none", "notes": [], "verdicts": {}}
write_json(run / "analysis/figures_of_merit.json", no_figures)
clip = {"file": "sleep_01_Rain.wav", "condition": "Rain", "seed": 0, "lufs": -27.0}
write_json(run / "generated/generated.json", {"clips": [clip]})
for folder in ("generated", "sham"):
    write_audio(run / folder / "sleep_01_Rain.wav", 0.1 * numpy.ones(sample_rate, "float32"), sample_rate)"""


def write_notebook(folder: Path, name: str, *sources: str, parameters: str = PARAMETERS) -> Path:
    cells = [nb.new_markdown_cell("# Lesson"), nb.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    cells += [nb.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / f"{name}.ipynb"
    folder.mkdir(exist_ok=True)
    nbformat.write(nb.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


@pytest.fixture(autouse=True)
def try_is_brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS, TRY, 0.25)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_embedded_corpus(tmp_path_factory.mktemp("corpus"), ["Rain"], clips_per_label=4)


@pytest.fixture
def run(data_dir: Path, tmp_path: Path) -> Run:
    return Run("sleep", data_dir, tmp_path / "a run {context}", sample_rate=8000)


def seen(run: Run, name: str) -> dict[str, Any]:
    return dict(json.loads((run.output_dir / f"seen_{name}.json").read_text()))


def test_a_run_passes_parameters_and_leaves_summary_and_report(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notebooks = tmp_path / "notebooks"
    write_notebook(notebooks, "01_look", DUMP.format(name="01"))
    more = (
        PARAMETERS + "\nmax_minutes: float = 9.0\nnum_epochs: int = 100\nbatch_size: int = 16\nsample_interval: int = 1"
    )
    write_notebook(notebooks, "04_train", DUMP.format(name="04"), LEAVE_RESULTS, parameters=more)
    run_course(run, TRY, notebooks=notebooks)
    report = run.output_dir / "report.html"

    common = {"context": "sleep", "data_dir": str(run.data_dir), "output_dir": str(run.output_dir), "sample_rate": 8000}
    common |= {"duration": 4.0, "latent_dim": 100, "seed": 0, "interactive": False}
    assert seen(run, "01") == common
    assert seen(run, "04").items() >= {**common, "max_minutes": 0.25, "batch_size": 16}.items()
    assert "num_samples" not in seen(run, "04")

    summary = json.loads((run.output_dir / "summary.json").read_text())
    assert summary["data"]["embedded"] is False
    assert summary["data"]["clips"]["Rain"] == {"train": 3, "val": 1}
    assert summary["timings"]["training"] == {"steps": 3, "seconds": 6.0, "seconds_per_step": 2.0, "interrupted": False}
    assert summary["versions"]["torch"].startswith("2.")
    assert report.is_file() and (run.output_dir / "notebooks" / "01_look.ipynb").is_file()

    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("data: recordings in")
    assert [line.rpartition(" ")[0].rpartition(" ")[0] for line in printed if line.startswith("notebook ")] == [
        "notebook 1 of 2: 01_look",
        "notebook 2 of 2: 04_train",
    ]
    assert str(report) in printed[-3]


def test_the_capstone_trains_its_own_model_as_briefly_as_it_does_by_itself(run: Run, tmp_path: Path) -> None:
    own = f"{PARAMETERS}\nmax_minutes: float = 0.1"
    write_notebook(tmp_path / "lessons", "04_train", DUMP.format(name="04"), LEAVE_RESULTS, parameters=own)
    write_notebook(tmp_path / "lessons", "08_own", DUMP.format(name="08"), parameters=own)
    run_course(run, TRY, notebooks=tmp_path / "lessons")
    assert (seen(run, "04")["max_minutes"], seen(run, "08")["max_minutes"]) == (0.25, 0.1)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", "02_bad.ipynb failed: ZeroDivisionError: division by zero (as far as it came: "),
        (
            "from ctxaudio.errors import CtxAudioError\nraise CtxAudioError('the value\\nis wrong')",
            "02_bad.ipynb failed: the value is wrong (as far as it came: ",
        ),
    ],
)
def test_a_failing_notebook_gives_one_line_and_leaves_no_summary(
    run: Run, tmp_path: Path, source: str, said: str
) -> None:
    notebooks = tmp_path / "notebooks"
    write_notebook(notebooks, "02_bad", source)
    run.output_dir.mkdir()
    for name in ("summary.json", "report.html"):
        (run.output_dir / name).write_text("of an earlier run")
    with pytest.raises(CtxAudioError) as caught:
        run_course(run, TRY, notebooks=notebooks)
    executed = run.output_dir / "notebooks" / "02_bad.ipynb"
    assert str(caught.value) == f"{said}{executed})"
    assert executed.is_file()
    assert not (run.output_dir / "summary.json").exists()
    assert not (run.output_dir / "report.html").exists()


def test_a_cell_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    source = write_notebook(tmp_path / "notebooks", "01_slow", "import time; time.sleep(60)")
    with pytest.raises(CtxAudioError, match=r"^01_slow.ipynb failed: a cell took longer than 1 s"):
        course.execute_notebook(source, tmp_path / "out.ipynb", {}, 1)


def test_a_kernel_that_dies_is_reported(tmp_path: Path) -> None:
    source = write_notebook(tmp_path / "notebooks", "01_dies", "import os; os._exit(9)")
    with pytest.raises(CtxAudioError, match=r"^01_dies.ipynb failed: its Python process died"):
        course.execute_notebook(source, tmp_path / "out.ipynb", {}, 30)


def test_the_course_runs_the_notebooks_of_the_repository():
    assert [path.stem[:2] for path in sorted(NOTEBOOKS.glob(NUMBERED))] == [f"0{number}" for number in range(1, 9)]


def test_mistakes_are_named_before_any_notebook_runs(run: Run, tmp_path: Path) -> None:
    with pytest.raises(CtxAudioError, match=r"no notebooks in .* clone"):
        run_course(run, TRY, notebooks=tmp_path / "nowhere")
    notebooks = tmp_path / "notebooks"
    own = write_notebook(notebooks, "01_look", "raise SystemExit")
    before = own.read_bytes()
    with pytest.raises(CtxAudioError, match="holds the course's own notebooks"):
        run_course(Run("sleep", run.data_dir, tmp_path), TRY, notebooks=notebooks)
    with pytest.raises(CtxAudioError, match="nothing"):
        run_course(Run("sleep", tmp_path / "nothing", tmp_path / "out"), TRY, notebooks=notebooks)
    with pytest.raises(CtxAudioError, match=r"none of \d clips is usable for context 'energy'"):
        run_course(Run("energy", run.data_dir, tmp_path / "out"), TRY, notebooks=notebooks)
    blocked = tmp_path / "a file"
    blocked.write_text("")
    with pytest.raises(CtxAudioError, match="can't write into"):
        run_course(Run("sleep", run.data_dir, blocked), TRY, notebooks=notebooks)
    assert own.read_bytes() == before
    assert not (tmp_path / "out" / "notebooks").exists()


def test_earlier_results_go_and_other_files_stay(run: Run, tmp_path: Path) -> None:
    write_notebook(tmp_path / "lessons", "01_bad", "1 / 0")
    stale = ["generated/sleep_07_Wind.wav", "generated/generated.json", "analysis/analysis.csv", "logs/losses.csv"]
    stale += ["samples/epoch_0002/spectrograms.png", "notebooks/05_x.ipynb"]
    kept = ["generated/mine.wav", "notes.txt", "notebooks/notes.ipynb", "samples/other/a.png", "models/x.json"]
    for name in (*stale, *kept):
        (run.output_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (run.output_dir / name).write_text("")
    with pytest.raises(CtxAudioError, match="ZeroDivisionError"):
        run_course(run, TRY, notebooks=tmp_path / "lessons")
    assert [name for name in (*stale, *kept) if (run.output_dir / name).exists()] == kept


def test_the_embedded_corpus_stays_the_default_folder(run: Run) -> None:
    embedded = DataSource(run.data_dir, True, "data: embedded corpus")
    parameters = course_parameters(Run(output_dir=Path("out")), embedded, TRY, "cpu")
    assert parameters["data_dir"] == "./data"
    assert parameters["output_dir"] == str(Path("out").resolve())
    for device in ("cpu", "cuda"):
        assert course_parameters(Run(), embedded, "full", device)["device"] == device


def test_presets() -> None:
    assert set(PRESETS) == {"quick", "full", TRY}
    assert PRESETS["full"] == 60 and PRESETS["quick"] <= 4
