"""Listening, turning knobs and blind tests in notebooks: players that keep the level, controls that can't stall a run.

Controls are wired with `observe` and `on_click` to image and text widgets. The usual ways (`interact`, `Output`)
can hang nbclient and papermill (jupyter/nbconvert#2029) and hide errors from them. Needs the `notebooks` extra
(ipywidgets).
"""

from ctxaudio.widgets.blind_test import Simulation, abx_test
from ctxaudio.widgets.controls import Rendering, explore
from ctxaudio.widgets.players import Playlist, Sound, play, playlist

__all__ = ["Playlist", "Rendering", "Simulation", "Sound", "abx_test", "explore", "play", "playlist"]
