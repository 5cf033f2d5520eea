"""The notebook course: its runs, its report, and what a notebook calls to check, ask and show."""

from __future__ import annotations

import jinja2


def template(name: str) -> jinja2.Template:
    """A page of this folder, which escapes what it is given. (jinja2 comes with torch.)"""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ctxaudio", "course"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["spaced"] = lambda name: str(name).replace("_", " ")
    return environment.get_template(name)
