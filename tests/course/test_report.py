"""The report, made from a small run written by hand: self-contained, nothing foreign unescaped, nothing missing."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat.v4 as nb
import numpy as np
import pytest
import soundfile

from ctxaudio import plots
from ctxaudio.course.report import first_and_last_samples, loss_curve, rendered_notebook, write_report
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import write_json
from ctxaudio.run import Run
from ctxaudio.signal.audio import write_audio

RATE = 8000
EVIL = "<script>alert('title')</script>"


class Elements(HTMLParser):
    """All elements of a page with their attributes, and that every opened one is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def hum() -> np.ndarray:
    return (0.1 * np.sin(2 * np.pi * 200 * np.arange(2 * RATE) / RATE)).astype(np.float32)


def executed_notebook(path: Path) -> None:
    result = nb.new_output("display_data", {"text/html": f"<b>ok</b>{EVIL}", "text/plain": "ok"})
    printed = nb.new_output("stream", name="stdout", text=f"title {EVIL}\n")
    cells = [
        nb.new_markdown_cell("# First lesson\n[next](02_second.ipynb)"),
        nb.new_code_cell("x = 1", outputs=[result, printed], execution_count=1),
    ]
    state = {"application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2, "version_minor": 0}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nb.writes(nb.new_notebook(cells=cells, metadata={"widgets": state})))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_run(tmp_path / "run")


def finished_run(folder: Path) -> Run:
    run = Run("relaxation", output_dir=folder, sample_rate=RATE)
    marks = {"generated": 42.125, "real_floor": 3.0, "matched_noise": 180.0, "white_noise": 900.0}
    intervals = {
        f"{name}{end}": value + by for name, value in marks.items() for end, by in (("_low", -5), ("_high", 5))
    }
    distances = marks | intervals
    modulation = [
        {"rate_hz": 7.83, "asked": 0.1, "measured": 0.0987, "without": 0.02},
        {"carrier_hz": 432.0, "asked": 0.3, "prominence_db": 11.5, "without_db": 0.3},
    ]
    write_json(
        run.output_dir / "summary.json",
        {
            "context": {"name": "relaxation", "evidence": {"grade": "B", "says": "Says <this>.", "source": "Someone"}},
            "preset": {"name": "quick"},
            "parameters": {"seed": 0},
            "data": {
                "description": f"data: recordings in {EVIL}",
                "clips": {"Stream": {"train": 3, "val": 1}},
                "skipped": [{"clip_id": EVIL, "reason": "silent"}],
            },
            "versions": {"python": "3"},
            "timings": {
                "notebooks_s": {"01_first": 7.0},
                "total_s": 90.0,
                "training": {"steps": 17, "seconds": 30.0, "seconds_per_step": 1.76},
            },
            "figures_of_merit": {
                "reference": "eval split of sounds",
                "notes": ["Gong: left out"],
                "verdicts": {"Chirp_and_tweet": "near: within the spread of real clips"},
                "texture_distance": {"all_conditions": distances, "by_condition": {"Chirp_and_tweet": distances}},
                "modulation": modulation,
            },
        },
    )
    credit = {"clip": "7", "title": EVIL, "uploader": '"><img src=x onerror=alert(1)>', "licence": "CC0"}
    write_json(run.model_path.with_suffix(".json"), {"attribution": [credit], "licences": {"CC0": 1}})
    files = ["relaxation_01_Stream.wav", "relaxation_02_Chirp_and_tweet.wav"]
    for name in files:
        write_audio(run.generated_dir / name, hum(), RATE)
    entries = [{"file": name, "condition": name[14:-4], "seed": 0, "lufs": -27.04} for name in files]
    write_json(run.generated_dir / "generated.json", {"clips": entries})
    picture = plots.bars({"row": {"one": 1}})
    for path in (run.analysis_dir / "analysis.png", *epochs(run, 3, 20, 100)):
        plots.save_figure(picture, path)
    log = "step,epoch,seconds,discriminator\n10,0,1.5,2.0\n20,0,3.0,1.0\n30,1,4.5,0.5\n"
    (run.output_dir / "logs").mkdir()
    (run.output_dir / "logs" / "losses.csv").write_text(log)
    executed_notebook(run.output_dir / "notebooks" / "01_first.ipynb")
    return run


def epochs(run: Run, *numbers: int) -> list[Path]:
    return [run.output_dir / "samples" / f"epoch_{number:04d}" / "spectrograms.png" for number in numbers]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    run = finished_run(tmp_path_factory.mktemp("run"))
    path = run.output_dir / "report.html"
    write_report(run, path)
    return path.read_text(encoding="utf-8")


def test_nothing_is_fetched_from_elsewhere_and_no_script_runs(page: str) -> None:
    elements = Elements(page)
    assert not elements.of("script")
    assert not elements.of("link") and not elements.of("iframe")
    assert "@import" not in page and "url(" not in page
    sources = [value for _, attributes in elements.found if (value := attributes.get("src"))]
    assert len(sources) >= 6
    assert all(source.startswith("data:") for source in sources)


def test_foreign_text_is_escaped(page: str) -> None:
    assert not any("onerror" in attributes for attributes in Elements(page).of("img"))
    assert page.count("&lt;script&gt;alert(&#39;title&#39;)&lt;/script&gt;") >= 3  # description, skipped, credit
    assert "Says &lt;this&gt;." in page


def test_players_hold_the_clips_with_condition_and_loudness(page: str) -> None:
    players = Elements(page).of("audio")
    assert [player["aria-label"] for player in players] == ["1. Stream", "2. Chirp and tweet"]
    sound = base64.b64decode(str(players[0]["src"]).partition("base64,")[2])
    samples, sample_rate = soundfile.read(io.BytesIO(sound), dtype="float32")
    assert sample_rate == RATE
    np.testing.assert_allclose(samples, hum(), atol=2 / 32768)
    assert page.count("-27.0 LUFS") == 2


def test_every_image_has_an_alternative_text(page: str) -> None:
    images = Elements(page).of("img")
    assert len(images) == 2 + 1 + 1 + 2  # clips, analysis, losses, first and last samples
    assert all(image.get("alt") for image in images)


def test_figures_grade_and_cautions_are_given(page: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for said in (
        "grade B",
        "No health claim",
        "80 dBA for 40 hours",
        "42.1",
        "7.83 Hz",
        "0.099",
        "11.5 dB",
        "17 steps",
    ):
        assert said in text
    figures = "42.1 37 to 47 3.0 -2 to 8 180.0 175 to 185 900.0 895 to 905"
    assert f"Chirp and tweet {figures} near: within the spread of real clips" in text
    assert "Real clips: eval split of sounds" in text and "Note: Gong: left out" in text


def test_notebooks_are_inlined_with_links_inside_the_page(page: str, run: Run) -> None:
    elements = Elements(page)
    assert {"class": "notebook", "id": "01_first"} in elements.of("div")
    assert "#02_second" in [link.get("href") for link in elements.of("a")]
    assert "First lesson" in page and "widget-state" not in page
    assert rendered_notebook(run.output_dir / "notebooks" / "01_first.ipynb").title == "First lesson"


def test_samples_are_of_the_first_and_the_last_epoch(run: Run) -> None:
    assert [title for title, _ in first_and_last_samples(run)] == ["after epoch 3", "after epoch 100"]
    for path in epochs(run, 3, 20):
        path.unlink()
        path.parent.rmdir()
    assert [title for title, _ in first_and_last_samples(run)] == ["after epoch 100"]


def test_loss_curve_is_of_the_losses_only_and_may_be_empty(run: Run, tmp_path: Path) -> None:
    curve = loss_curve(run.output_dir / "logs" / "losses.csv")
    assert curve is not None and curve.alt == "training losses over step: discriminator"
    empty = tmp_path / "losses.csv"
    empty.write_text("step,epoch,seconds,discriminator\n")
    assert loss_curve(empty) is None


@pytest.mark.parametrize(
    "missing", ["summary.json", "analysis/analysis.png", "generated/generated.json", "logs/losses.csv"]
)
def test_a_missing_result_is_named_and_no_report_written(run: Run, missing: str) -> None:
    (run.output_dir / missing).unlink()
    report = run.output_dir / "report.html"
    with pytest.raises(CtxAudioError, match=Path(missing).name):
        write_report(run, report)
    assert not report.exists()
