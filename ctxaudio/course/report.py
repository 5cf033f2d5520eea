"""A run as one HTML file that opens anywhere: sounds, figures, measures, credits and the executed notebooks.

Nothing in it is fetched from elsewhere, and nothing foreign (titles of clips, say) reaches it unescaped.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2
import nbformat
import numpy as np
import pandas as pd
from markupsafe import Markup
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from ctxaudio import plots
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import child_path, read_json, written_whole
from ctxaudio.run import Run
from ctxaudio.signal.audio import read_audio

POINTS_OF_CURVE = 60
SMALL_IN = (6.0, 2.8)
SCRIPTS = re.compile(r"<script\b.*?</script\s*>", re.DOTALL | re.IGNORECASE)
NOTEBOOK_LINK = re.compile(r'href="(?:\./)?(\d\d_\w+)\.ipynb(?:#[^"]*)?"')


@dataclass(frozen=True)
class HeardClip:
    """A generated clip with its loudness as measured when it was written, ready to play and to look at."""

    title: str
    lufs: float
    sound: str
    picture: Image


@dataclass(frozen=True)
class Image:
    """A PNG as a data URI, with its text for those who can't see it."""

    alt: str
    source: str


@dataclass(frozen=True)
class RenderedNotebook:
    name: str
    title: str
    body: Markup


def write_report(run: Run, path: Path) -> None:
    """Write the report of a finished course run to `path`.

    Reads `summary.json`, the model's JSON, `generated/`, `analysis/`, `logs/`, `samples/` and `notebooks/` of the
    run's folder. Raises `CtxAudioError` if one that every run has is missing, or if `path` can't be written.
    """
    summary = read_json(run.output_dir / "summary.json")
    model = read_json(run.model_path.with_suffix(".json"))
    page = _template().render(
        run=run,
        summary=summary,
        clips=heard_clips(run),
        analysis=png_file(run.analysis_dir / "analysis.png", "depths at the rate targets and bands, and the carriers"),
        losses=loss_curve(run.output_dir / "logs" / "losses.csv"),
        samples=first_and_last_samples(run),
        attribution=model["attribution"],
        licences=model["licences"],
        notebooks=[rendered_notebook(source) for source in sorted((run.output_dir / "notebooks").glob("*.ipynb"))],
        pygments_css=Markup(HtmlFormatter(style="default").get_style_defs(".highlight")),
    )
    with written_whole(path) as aside:
        aside.write_text(page, encoding="utf-8")


def _template() -> jinja2.Template:
    text = resources.files("ctxaudio").joinpath("course/report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["spaced"] = lambda name: str(name).replace("_", " ")
    return environment.from_string(text)


def heard_clips(run: Run) -> list[HeardClip]:
    """The run's generated clips, in the order of `generated.json`."""
    listed = read_json(run.generated_dir / "generated.json")["clips"]
    clips = []
    for number, entry in enumerate(listed, 1):
        path = child_path(run.generated_dir, entry["file"])
        samples, sample_rate = read_audio(path)
        title = f"{number}. {entry['condition'].replace('_', ' ')}"
        picture = plots.spectrograms({"": samples.mean(axis=0)}, sample_rate)
        picture.set_size_inches(SMALL_IN)
        image = Image(f"spectrogram of clip {title}", data_uri("image/png", picture.png()))
        clips.append(HeardClip(title, entry["lufs"], data_uri("audio/wav", path.read_bytes()), image))
    return clips


def data_uri(kind: str, content: bytes) -> str:
    """`content` as a URI that holds it.

    >>> data_uri("text/plain", b"hum")
    'data:text/plain;base64,aHVt'
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def png_file(path: Path, alt: str) -> Image:
    try:
        return Image(alt, data_uri("image/png", path.read_bytes()))
    except OSError as error:
        raise CtxAudioError(f"can't read {path}: {error.strerror}; run the notebook that makes it") from error


def loss_curve(path: Path) -> Image | None:
    """The logged losses against the step, at most 60 points of them; None where training was too short to log any."""
    try:
        history = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise CtxAudioError(f"can't read {path}: {error}; run notebook 04") from error
    if history.empty:
        return None
    group = np.arange(len(history)) * min(POINTS_OF_CURVE, len(history)) // len(history)
    averaged = history.drop(columns=["epoch", "seconds"]).groupby(group).mean()
    averaged = averaged.set_index("step")
    picture = plots.lines(dict(averaged.items()), averaged.index, "step", "loss", "training losses")
    return Image(picture.alt, data_uri("image/png", picture.png()))


def first_and_last_samples(run: Run) -> list[tuple[str, Image]]:
    """Pictures of the samples of the first and the last epoch that left any: none, one or two."""
    folders = sorted((run.output_dir / "samples").glob("epoch_[0-9]*"))
    shown = []
    for folder in dict.fromkeys((*folders[:1], *folders[-1:])):
        title = f"after epoch {int(folder.name.removeprefix('epoch_'))}"
        shown.append((title, png_file(folder / "spectrograms.png", f"spectrograms of samples {title}")))
    return shown


def rendered_notebook(path: Path) -> RenderedNotebook:
    """An executed notebook as HTML without scripts; links to other notebooks lead to their place in the report."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError) as error:
        raise CtxAudioError(f"{path} is not a readable notebook: run the course again") from error
    notebook.metadata.pop("widgets", None)
    exporter = HTMLExporter(template_name="basic", exclude_anchor_links=True)
    body, _ = exporter.from_notebook_node(notebook)
    body = NOTEBOOK_LINK.sub(r'href="#\1"', SCRIPTS.sub("", body))
    headings = (re.match(r"# +(.+)", cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    title = next((heading[1] for heading in headings if heading), path.stem)
    return RenderedNotebook(path.stem, title, Markup(body))
