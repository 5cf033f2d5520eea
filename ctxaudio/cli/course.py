"""The commands that show and teach: contexts, demo, course."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ctxaudio.contexts import CONTEXTS, SAFE_LISTENING, catalogue
from ctxaudio.options import Common, Options, option

#: Soft enough that no sound's peaks keep it from the level of its sham.
QUIET_LUFS = -35.0


@dataclass(frozen=True)
class Printed:
    """How the contexts are printed."""

    json: bool = option(False, "as JSON")


@dataclass(frozen=True)
class Demo(Options):
    output_dir: Path = option(Path("./output/demo"), "folder for the sounds and index.html")
    duration: float = option(4.0, "length of a sound in seconds", least=0.4, most=600)
    seed: int = option(0, "another seed makes other sounds", least=0, most=2**31 - 1)


@dataclass(frozen=True)
class Course:
    preset: Literal["quick", "full"] = option("quick", "quick (8 minutes on two cores) or full")
    device: str = option("cpu", "to train on: cpu, or cuda (with `full`: a larger generator)")


def contexts(printed: Printed) -> None:
    """Print contexts, bands and targets with their evidence grades."""
    content = catalogue()
    if printed.json:
        print(json.dumps(content, indent=2))
        return
    for name, about in {**content["contexts"], "all": content["all"]}.items():
        depths = {**about["band_depths"], **about["target_depths"]}
        print(f"{name} (evidence {_graded(about['evidence'])})")
        print(f"  conditions: {', '.join(f'{i} {label}' for i, label in enumerate(about['conditions']))}")
        print(f"  modulation: {', '.join(f'{name} {depth:g}' for name, depth in depths.items()) or 'none'}")
    print("\nbands (envelope rates)")
    for name, band in content["bands"].items():
        print(f"  {name:<10} {band['low_hz']:g}-{band['high_hz']:g} Hz, associated with {band['association']}")
    print(f"  evidence {_graded(band['evidence'])}")
    print("targets")
    for name, target in content["targets"].items():
        print(f"  {name:<10} {target['frequency_hz']:g} Hz {target['kind']}, {_graded(target['evidence'])}")
    print("methods")
    for name, evidence in content["methods"].items():
        print(f"  {name}, {_graded(evidence)}")
    print(f"safe listening\n  {content['safe_listening']}")


def _graded(evidence: dict[str, Any]) -> str:
    return f"{evidence['grade']}: {evidence['says']} ({evidence['source']})"


def demo(asked: Demo) -> None:
    """Make every context's sound with the base that ships, sham beside modulated, and a page to listen to it."""
    from ctxaudio.course import template
    from ctxaudio.files import write_text
    from ctxaudio.modulation.schedule import Modulation
    from ctxaudio.render.generate import base_for, generate_clips, write_clips

    shown = []
    for context in CONTEXTS.values():
        generator, about = base_for(context)
        elsewhere = {label for other in CONTEXTS.values() if other is not context for label in other.conditions}
        condition = next(label for label in context.conditions if label not in elsewhere)
        profile = generator.modulation.profile
        sounds = {}
        for kind, applied in {"sham": profile.sham(), "modulated": profile}.items():
            clips = generate_clips(generator, 1, asked.duration, condition, asked.seed, applied, QUIET_LUFS)
            (path,) = write_clips(clips, asked.output_dir / context.name / kind, about, overwrite=True)
            print(path, flush=True)
            sounds[kind] = path.relative_to(asked.output_dir).as_posix()
        told = {"modulation": Modulation(profile).text(), "condition": condition, "sounds": sounds}
        shown.append({"name": context.name, "evidence": context.evidence} | told)
    page = asked.output_dir / "index.html"
    write_text(page, template("demo.html.j2").render(contexts=shown, safe=SAFE_LISTENING))
    print(f"listen: {page.resolve().as_uri()}")


def course(run: Common, asked: Course) -> None:
    """Run the notebooks for a context, and write a summary and a report of them; `--context all`: for each of the five,
    with a page of them side by side."""
    from ctxaudio.course.course import run_contexts, run_course

    (run_contexts if run.about.parts else run_course)(run, asked.preset, device=asked.device)
