"""Licences of FSD50K's clips: short names from the URIs of the metadata, and which are taken by default.

A clip's `license` is a URI such as http://creativecommons.org/licenses/by/3.0/ (Fonseca et al. 2022, arXiv:2010.00475).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from ctxaudio.errors import CtxAudioError

#: Short names, and what they ask for.
LICENCES = {
    "cc0": "CC0 (no credit needed, given all the same)",
    "cc-by": "CC BY (credit the uploader)",
    "cc-by-nc": "CC BY-NC (credit the uploader; not for commercial use)",
    "sampling+": "Sampling+ (credit the uploader; for parts and mixes; not in advertising)",
    "unknown": "Other or unknown licences",
}

#: May be used for anything, CC-BY with the credit that ATTRIBUTION.md gives.
DEFAULT_LICENCES = ("cc0", "cc-by")

FSD50K_CREDIT = (
    "Clips of FSD50K (Eduardo Fonseca, Xavier Favory, Jordi Pons, Frederic Font, Xavier Serra: FSD50K: an Open Dataset "
    "of Human-Labeled Sound Events, IEEE/ACM TASLP 30:829-852, 2022, https://doi.org/10.5281/zenodo.4060432), a data "
    "set under CC BY 4.0 of recordings from Freesound, each under its uploader's licence as listed here."
)

_NAMES = {"zero": "cc0", "by": "cc-by", "by-nc": "cc-by-nc", "sampling+": "sampling+"}
_URI = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/(?:publicdomain|licenses)/([^/?#]+)(?:[/?#].*)?", re.IGNORECASE
)


def licence_name(uri: str) -> str:
    """The short name of a licence URI, one of `LICENCES`: any Creative Commons version, http or https.

    Every other licence, by-sa and by-nc-nd among them, is "unknown".

    >>> licence_name("http://creativecommons.org/publicdomain/zero/1.0/"), licence_name("not a licence")
    ('cc0', 'unknown')
    >>> licence_name("https://creativecommons.org/licenses/by-nc/4.0/legalcode")
    'cc-by-nc'
    """
    match = _URI.fullmatch(unquote(uri).strip())
    return _NAMES.get(match.group(1).lower(), "unknown") if match else "unknown"


def check_licences(names: Sequence[str]) -> tuple[str, ...]:
    """`names` as a tuple, each once; raises `CtxAudioError` for one that is not in `LICENCES`, or for none at all.

    >>> check_licences(["cc0", "cc-by", "cc0"])
    ('cc0', 'cc-by')
    """
    unknown = [name for name in names if name not in LICENCES]
    if unknown or not names:
        raise CtxAudioError(f"licence {', '.join(unknown) or '(none)'} is not one of {', '.join(LICENCES)}")
    return tuple(dict.fromkeys(names))
