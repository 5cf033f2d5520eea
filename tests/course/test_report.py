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

from ctxaudio.course.course import readable, write_report
from ctxaudio.data.fsd50k import Clip
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json, write_json
from ctxaudio.options import Run
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
            "timings": {"total_s": 90.0, "training": {"steps": 17, "seconds": 30.0, "seconds_per_step": 1.76}},
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
        write_audio(run.output_dir / "sham" / name, hum(), RATE)
    entries = [{"file": name, "condition": name[14:-4], "seed": 0, "lufs": -27.04} for name in files]
    write_json(run.generated_dir / "generated.json", {"clips": entries})
    executed_notebook(run.output_dir / "notebooks" / "01_first.ipynb")
    return run


def real_clips() -> PreparedClips:
    """A training and a validation clip of each condition."""
    names, length = ("Stream", "Chirp_and_tweet"), 4 * RATE
    clips = tuple(
        Clip(f"{i}", Path(), (), ("train", "val")[i % 2], EVIL, "U", "CC0", 0, None, i // 2, i * length, length)
        for i in range(4)
    )
    samples = 0.1 * np.random.default_rng(0).standard_normal(4 * length).astype(np.float32)
    return PreparedClips(RATE, "relaxation", names, clips, samples, ())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    run = finished_run(tmp_path_factory.mktemp("run"))
    write_report(run, real_clips())
    return (run.output_dir / "report.html").read_text(encoding="utf-8")


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


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


def test_three_sentences_stand_on_top(page: str) -> None:
    top = words(page[page.index("<header>") : page.index("</header>")])
    assert "after 17 steps of training (0.5 minutes) on 3 clips." in top
    assert "distance to real clips is 42 (90 % interval 37 to 47), where other real clips have 3" in top
    assert "1 of 1 conditions are near to real" in top
    assert "At 7.83 Hz a modulation depth of 0.10 was asked for and 0.10 is measured (0.02 without modulation)." in top
    assert len(Elements(page[: page.index("</header>")]).of("p")) == 3


def test_without_distances_or_modulation_the_headline_says_so(run: Run) -> None:
    summary = read_json(run.output_dir / "summary.json")
    summary["figures_of_merit"] |= {"texture_distance": {"all_conditions": None, "by_condition": {}}, "modulation": []}
    write_json(run.output_dir / "summary.json", summary)
    write_report(run, real_clips())
    page = (run.output_dir / "report.html").read_text(encoding="utf-8")
    said = "There were too few real clips to say how near to real they are. No modulation was asked for."
    assert words(page[page.index("<header>") : page.index("</header>")]).strip().endswith(said)


def test_each_condition_is_heard_real_sham_and_modulated(page: str) -> None:
    players = Elements(page).of("audio")
    kinds = ("real", "sham", "modulated")
    expected = [f"{name}, {kind}" for name in ("Stream", "Chirp and tweet") for kind in kinds]
    assert [player["aria-label"] for player in players] == expected
    assert {player["preload"] for player in players} == {"none"} and all("pause()" in p["onplay"] for p in players)
    for player in players[:3]:
        kind, _, data = str(player["src"]).partition("base64,")
        samples, sample_rate = soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float32")
        assert kind == "data:audio/mpeg;" and sample_rate == RATE and len(samples) > 1.5 * RATE
    sham, generated = (float(np.std(sound(player))) for player in players[1:3])
    assert sham == pytest.approx(generated) == pytest.approx(hum().std(), rel=0.1)


def sound(player: dict[str, str | None]) -> np.ndarray:
    return soundfile.read(io.BytesIO(base64.b64decode(str(player["src"]).partition("base64,")[2])))[0]


def test_the_night_that_was_rendered_is_drawn_and_heard(run: Run) -> None:
    write_audio(run.output_dir / "session" / "session.flac", hum(), RATE)
    steps = [{"minute": 0.0, "rate_hz": 6.0, "depth": 0.3, "level_db": 0.0, "condition": "Stream"}]
    settings = {"minutes": 1.5, "finish": {"fade_s": 4.0}}
    made = {
        "schedule": {"steps": steps, "glide_s": 10.0},
        "settings": settings,
        "conditions": ["Stream"],
        "lufs": -27.0,
    }
    write_json(run.output_dir / "session" / "session.json", made)
    write_report(run, real_clips())
    page = (run.output_dir / "report.html").read_text(encoding="utf-8")
    assert "1.5 minutes of Stream, -27.0 LUFS" in words(page)
    (player,) = [player for player in Elements(page).of("audio") if player["aria-label"] == "session of Stream"]
    assert player["preload"] == "none" and len(sound(player)) > 1.5 * RATE
    assert any("Stream from minute 0" in str(image["alt"]) for image in Elements(page).of("img"))


def test_every_image_has_an_alternative_text(page: str) -> None:
    images = Elements(page).of("img")
    assert len(images) == 2 + 1  # triplets, distances
    assert all(image.get("alt") for image in images)
    alt = str(images[2]["alt"])
    assert alt.startswith("kernel distance to real clips") and "Chirp_and_tweet" in alt and "generated 42" in alt


def test_figures_grade_and_cautions_are_given(page: str) -> None:
    text = words(page)
    for said in ("grade B", "No health claim", "80 dBA for 40 hours", "7.83 Hz", "0.099", "11.5 dB"):
        assert said in text
    assert "Chirp and tweet: near: within the spread of real clips" in text
    assert "Real clips: eval split of sounds" in text and "Note: Gong: left out" in text


def test_it_is_small_fits_a_telephone_and_the_dark(page: str) -> None:
    assert len(page) < 5_000_000
    assert "prefers-color-scheme: dark" in page and "width=device-width" in page
    assert "minmax(min(15rem, 100%), 1fr)" in page and all(
        "scroll" in page[:start].rpartition("<div class=")[2][:10]
        for start in [match.start() for match in re.finditer("<table>", page)]
    )


def test_notebooks_are_linked_and_lie_beside_it_as_pages(page: str, run: Run) -> None:
    links = [link.get("href") for link in Elements(page).of("a")]
    assert links == ["notebooks/01_first.html", "notebooks/01_first.ipynb"]
    assert "First lesson" in page and "<b>ok</b>" not in page
    executed = run.output_dir / "notebooks" / "01_first.ipynb"
    assert readable(executed) == "First lesson"
    assert "<b>ok</b>" in executed.with_suffix(".html").read_text(encoding="utf-8")


@pytest.mark.parametrize("missing", ["summary.json", "generated/generated.json", "sham/relaxation_01_Stream.wav"])
def test_a_missing_result_is_named_and_no_report_written(run: Run, missing: str) -> None:
    (run.output_dir / missing).unlink()
    with pytest.raises(CtxAudioError, match=Path(missing).name):
        write_report(run, real_clips())
    assert not (run.output_dir / "report.html").exists()
