"""Credit to whom it is due: the attribution that CC-BY asks for, as text people read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctxaudio.data.licences import LICENCES, licence_name
from ctxaudio.files import written_whole

ATTRIBUTION = "ATTRIBUTION.md"

FSD50K_CREDIT = (
    "Clips of FSD50K (Eduardo Fonseca, Xavier Favory, Jordi Pons, Frederic Font, Xavier Serra: FSD50K: an Open Dataset "
    "of Human-Labeled Sound Events, IEEE/ACM TASLP 30:829-852, 2022, https://doi.org/10.5281/zenodo.4060432), a data "
    "set under CC BY 4.0 of recordings from Freesound, each under its uploader's licence as listed here."
)
_TITLES = {
    "cc0": "CC0 (no credit needed, given all the same)",
    "cc-by": "CC BY (credit the uploader)",
    "cc-by-nc": "CC BY-NC (credit the uploader; not for commercial use)",
    "sampling+": "Sampling+ (credit the uploader; for parts and mixes; not in advertising)",
    "unknown": "Other or unknown licences",
}
_MARKUP = re.compile(r"([\\`*_\[\]<>|#&])")


@dataclass(frozen=True)
class Credit:
    """One clip's: `licence` is its URI (or what the metadata say instead), `link` where the clip comes from."""

    clip_id: str
    title: str
    uploader: str
    licence: str
    link: str = ""


def freesound_link(clip_id: str) -> str:
    """The page of an FSD50K clip, whose id is Freesound's; empty for an id that can't be.

    >>> freesound_link("64760")
    'https://freesound.org/s/64760/'
    """
    return f"https://freesound.org/s/{clip_id}/" if clip_id.isascii() and clip_id.isdigit() else ""


def attribution_text(credits: Iterable[Credit], about: str) -> str:
    r"""The credits as Markdown, a section a licence, each clip once: title, uploader, id, link and licence.

    >>> rain = Credit("7", "Rain [take 2]", "ann", "http://creativecommons.org/licenses/by/3.0/")
    >>> print(attribution_text([rain], "Where it comes from.").splitlines()[-1])
    - "Rain \[take 2\]" by ann, clip 7, http://creativecommons.org/licenses/by/3.0/
    """
    once = {credit.clip_id: credit for credit in credits}
    lines = ["# Attribution", "", about]
    for name in LICENCES:
        of_licence = [credit for credit in once.values() if licence_name(credit.licence) == name]
        if of_licence:
            lines += ["", f"## {_TITLES[name]}: {len(of_licence)} clips", ""]
            lines += [_line(credit) for credit in sorted(of_licence, key=lambda credit: _natural(credit.clip_id))]
    return "\n".join(lines) + "\n"


def write_attribution(path: Path, credits: Sequence[Credit], about: str) -> None:
    """Write `attribution_text`; raises `CtxAudioError` where `path` can't be written."""
    with written_whole(path) as aside:
        aside.write_text(attribution_text(credits, about), encoding="utf-8")


def _line(credit: Credit) -> str:
    title = f'"{_plain(credit.title)}"' if credit.title else "Untitled"
    parts = [f"{title} by {_plain(credit.uploader) or 'an unnamed uploader'}", f"clip {_plain(credit.clip_id)}"]
    parts += [credit.link] if credit.link else []
    return f"- {', '.join(parts)}, {_plain(credit.licence) or 'unknown'}"


def _plain(text: str) -> str:
    """Text from the metadata, in one line and with nothing that Markdown or HTML would act on."""
    line = " ".join(text.split())
    return line if re.fullmatch(r"https?://[\w./+%-]+", line) else _MARKUP.sub(r"\\\1", line)


def _natural(clip_id: str) -> tuple[int, str]:
    return (int(clip_id) if clip_id.isascii() and clip_id.isdigit() else -1, clip_id)
