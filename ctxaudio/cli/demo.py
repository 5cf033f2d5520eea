"""Make every context's sound with the base that ships, sham beside modulated, and a page to listen to it."""

from __future__ import annotations

import argparse
import html
from dataclasses import dataclass
from pathlib import Path

from ctxaudio.contexts import CONTEXTS, SAFE_LISTENING, Context
from ctxaudio.options import add_dataclass, check_ranges, from_options, option

#: Soft enough that no sound's peaks keep it from the level of its sham.
QUIET_LUFS = -35.0

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>ctxaudio demo</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem }} audio {{ width: 100% }} small {{ opacity: .8 }}
section > div {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1rem }}
</style>
<h1>Five contexts</h1>
<p>Made by the base that ships with ctxaudio, which you can train further on sound of your own. Each pair is one sound
twice, equally loud: the sham without modulation, and with the rates and carriers of its context.</p>
{sections}
<p><small>{safe}</small></p>
</html>
"""
SECTION = """<section><h2>{name}: {condition}</h2>
<div><label>sham<audio controls preload="none" src="{sham}"></audio></label>
<label>modulated: {modulation}<audio controls preload="none" src="{modulated}"></audio></label></div>
<p><small>Evidence grade {grade}: {says}</small></p></section>"""


@dataclass(frozen=True)
class Demo:
    """What is made and where."""

    output_dir: Path = option(Path("./output/demo"), "folder for the sounds and index.html")
    duration: float = option(4.0, "length of a sound in seconds", least=0.4, most=600)
    seed: int = option(0, "another seed makes other sounds", least=0, most=2**31 - 1)

    def __post_init__(self) -> None:
        check_ranges(self)


def add_to(parser: argparse.ArgumentParser) -> None:
    add_dataclass(parser, Demo)


def run(options: argparse.Namespace) -> int:
    from ctxaudio.files import writable_folder, written_whole

    asked = from_options(Demo, options)
    writable_folder(asked.output_dir)
    sections = [section(context, asked) for context in CONTEXTS.values()]
    page = asked.output_dir / "index.html"
    with written_whole(page) as aside:
        aside.write_text(PAGE.format(sections="\n".join(sections), safe=html.escape(SAFE_LISTENING)), encoding="utf-8")
    print(f"listen: {page.resolve().as_uri()}")
    return 0


def section(context: Context, asked: Demo) -> str:
    """Write the two sounds of a context, and give back the part of the page that plays them."""
    from ctxaudio.modulation.named import modulation_text
    from ctxaudio.render.generate import base_for, generate_clips, write_clips

    generator, about = base_for(context)
    elsewhere = {label for other in CONTEXTS.values() if other is not context for label in other.conditions}
    condition = next(i for i, label in enumerate(context.conditions) if label not in elsewhere)
    profile = generator.modulation.profile
    paths = {}
    for kind, applied in {"sham": profile.sham(), "modulated": profile}.items():
        clips = generate_clips(generator, 1, asked.duration, condition, asked.seed, applied, QUIET_LUFS)
        folder = asked.output_dir / context.name / kind
        (paths[kind],) = write_clips(clips, folder, about, overwrite=True)
        print(paths[kind], flush=True)
    told = {"name": context.name, "condition": context.conditions[condition], "modulation": modulation_text(profile)}
    told |= {"grade": context.evidence.grade, "says": context.evidence.says}
    told |= {kind: path.relative_to(asked.output_dir).as_posix() for kind, path in paths.items()}
    return SECTION.format(**{name: html.escape(text) for name, text in told.items()})
