"""A run as one HTML file that opens anywhere: three sentences, sounds real, sham and modulated, measures, credits.

Nothing in it is fetched from elsewhere, and nothing foreign (titles of clips, say) reaches it unescaped. The executed
notebooks lie beside it, as HTML to read and as notebooks to run.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from markupsafe import Markup
from nbconvert import HTMLExporter
from PIL import Image

from ctxaudio import plots
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray, child_path, read_json, write_text
from ctxaudio.render.night import night_of
from ctxaudio.run import Run
from ctxaudio.signal.audio import read_audio
from ctxaudio.signal.loudness import set_loudness
from ctxaudio.widgets import play
from ctxaudio.widgets.timeline import picture_of_night

SMALL_IN = (9.0, 2.4)
TITLE = re.compile(r"^# +(.+)", re.MULTILINE)


@dataclass(frozen=True)
class Triplet:
    """A condition as it sounds in reality and generated, without and with modulation; and all three as a picture."""

    condition: str
    players: Mapping[str, Markup]
    picture: Markup


def write_report(run: Run, clips: PreparedClips, path: Path) -> None:
    """Write the report of a finished course run to `path`, and its notebooks as HTML beside themselves.

    Reads `summary.json`, the model's JSON, `generated/`, `sham/` and `notebooks/` of the run's folder; `clips` are the
    real ones. Raises `CtxAudioError` if one that every run has is missing, or if `path` can't be written.
    """
    summary = read_json(run.output_dir / "summary.json")
    model = read_json(run.model_path.with_suffix(".json"))
    distances = summary["figures_of_merit"]["texture_distance"]["by_condition"]
    notebooks = sorted((run.output_dir / "notebooks").glob("*.ipynb"))
    page = template("report.html.j2").render(
        run=run,
        summary=summary,
        headline=headline(run, summary),
        triplets=triplets(run, clips),
        night=night_of_run(run),
        distances=picture_of(plots.distances(distances)) if distances else None,
        attribution=model["attribution"],
        licences=model["licences"],
        notebooks={notebook.stem: readable(notebook) for notebook in notebooks},
    )
    write_text(path, page)


def template(name: str) -> jinja2.Template:
    """A page of this folder, which escapes what it is given."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ctxaudio", "course"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["spaced"] = lambda name: str(name).replace("_", " ")
    return environment.get_template(name)


def headline(run: Run, summary: Mapping[str, Any]) -> list[str]:
    """Three sentences: what was made, how near to real it is, what was asked for and measured."""
    training, figures = summary["timings"]["training"], summary["figures_of_merit"]
    counts = summary["data"]["clips"]
    trained = sum(of.get("train", 0) for of in counts.values())
    conditions = ", ".join(name.replace("_", " ") for name in counts)
    made = (
        f"Sounds of {run.duration:g} s for {run.context} ({conditions}) were generated after {training['steps']} steps "
        f"of training ({training['seconds'] / 60:.1f} minutes) on {trained} clips."
    )
    near = "There were too few real clips to say how near to real they are."
    if overall := figures["texture_distance"]["all_conditions"]:
        within = [verdict.startswith("near") for verdict in figures["verdicts"].values()]
        near = (
            f"Their distance to real clips is {overall['generated']:.0f} (90 % interval {overall['generated_low']:.0f} "
            f"to {overall['generated_high']:.0f}), where other real clips have {overall['real_floor']:.0f} and noise "
            f"of the same spectrum {overall['matched_noise']:.0f}: {sum(within)} of {len(within)} conditions are near "
            "to real."
        )
    asked = "No modulation was asked for."
    if rates := [row for row in figures["modulation"] if "rate_hz" in row]:
        row = max(rates, key=lambda row: float(row["asked"]))
        asked = (
            f"At {row['rate_hz']:.4g} Hz a modulation depth of {row['asked']:.2f} was asked for and "
            f"{row['measured']:.2f} is measured ({row['without']:.2f} without modulation)."
        )
    return [made, near, asked]


def first_clips(run: Run) -> dict[str, str]:
    """The file of the first generated clip of each condition; its sham is of the same name."""
    first: dict[str, str] = {}
    for entry in read_json(run.generated_dir / "generated.json")["clips"]:
        first.setdefault(str(entry["condition"]), entry["file"])
    return first


def triplets(run: Run, clips: PreparedClips) -> list[Triplet]:
    """The first generated clip of each condition, beside its sham and a real clip, held out where there is one."""
    found = []
    for condition, file in first_clips(run).items():
        sounds = {"real": real_sound(clips, condition, run.duration)}
        for kind, folder in (("sham", run.output_dir / "sham"), ("modulated", run.generated_dir)):
            sounds[kind] = read_audio(child_path(folder, file))[0].mean(axis=0)
        spaced = condition.replace("_", " ")
        titled = {f"{spaced}, {kind}": samples for kind, samples in sounds.items()}
        picture = plots.spectrograms(titled, run.sample_rate)
        picture.set_size_inches(SMALL_IN)
        players = {
            kind: Markup(play(samples, run.sample_rate, title, small=True).player(preload="none"))
            for kind, (title, samples) in zip(sounds, titled.items(), strict=True)
        }
        found.append(Triplet(spaced, players, picture_of(picture)))
    return found


def night_of_run(run: Run) -> dict[str, Any] | None:
    """The session that notebook 07 rendered: in words, its plan as a picture, and a compressed player."""
    path = run.output_dir / "session" / "session.json"
    if not path.exists():
        return None
    made = read_json(path)
    settings = made["settings"]
    plan = {**made["schedule"], "minutes": settings["minutes"], "fade_s": settings["finish"]["fade_s"]}
    conditions = ", ".join(made["conditions"]).replace("_", " ")
    sound, sample_rate = read_audio(path.with_suffix(".flac"))
    player = play(sound[0], sample_rate, f"session of {conditions}", small=True).player(preload="none")
    said = f"{settings['minutes']:g} minutes of {conditions}, {made['lufs']:.1f} LUFS"
    return {"said": said, "picture": picture_of(picture_of_night(night_of(plan, path))), "player": Markup(player)}


def real_sound(clips: PreparedClips, condition: str, duration_s: float) -> FloatArray:
    """The beginning of the first validation (else training) clip of a condition, as loud as what is generated."""
    number = clips.condition_names.index(condition)
    of = [*clips.of("val", number), *clips.of("train", number)]
    samples = clips.audio(of[0])[: round(duration_s * clips.sample_rate)]
    return set_loudness(samples, clips.sample_rate)[0]


def picture_of(picture: plots.Picture) -> Markup:
    """An `<img>` that holds the picture, with its text."""
    data = with_palette(base64.b64encode(picture.png()).decode("ascii"))
    return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(picture.alt, data)


def with_palette(png: str) -> str:
    """A base64 PNG with at most 128 colours: a spectrogram takes less than half the room and looks the same."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    stream = io.BytesIO()
    picture.quantize(128).save(stream, format="png", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def readable(path: Path) -> str:
    """Write an executed notebook as HTML beside itself; gives back its title."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError) as error:
        raise CtxAudioError(f"{path} is not a readable notebook: run the course again") from error
    notebook.metadata.pop("widgets", None)
    write_text(path.with_suffix(".html"), HTMLExporter().from_notebook_node(notebook)[0])
    title = TITLE.search("\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown"))
    return title[1] if title else path.stem
