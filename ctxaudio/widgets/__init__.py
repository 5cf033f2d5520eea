"""Listening, turning knobs and blind tests in notebooks. Needs the `notebooks` extra (ipywidgets).

Controls are wired with `observe` and `on_click` to text widgets. The usual ways (`interact`, `Output`) can hang
nbclient and papermill (jupyter/nbconvert#2029) and hide errors from them.
"""

from ctxaudio.widgets.abx import abx_test
from ctxaudio.widgets.players import Playlist, Sound, explore, play, playlist
from ctxaudio.widgets.timeline import plan_night
