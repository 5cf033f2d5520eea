"""The notebook course: its runs, its report, and what a notebook calls to check, ask and show."""

from __future__ import annotations

import jinja2


def template(name: str) -> jinja2.Template:
    """A page of this folder, which escapes what it is given. (jinja2 comes with torch.)"""
    loader = jinja2.PackageLoader("ctxaudio", "course")
    pages = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    pages.filters["spaced"] = lambda name: str(name).replace("_", " ")
    pages.tests["near"] = lambda verdict: verdict.startswith("near")
    return pages.get_template(name)
