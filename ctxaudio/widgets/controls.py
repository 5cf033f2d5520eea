"""Controls that draw and sound again whenever they move."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets
from matplotlib.figure import Figure

from ctxaudio.errors import CtxAudioError
from ctxaudio.widgets.players import MimeBundle, Sound, captioned

STEPS = 100
_UNITS = {"hz": "Hz", "db": "dB", "s": "s", "lufs": "LUFS"}


@dataclass(frozen=True, eq=False)
class Rendering:
    """What `render` gave back: a figure, a sound or both, shown without any widget."""

    figure: Figure | None
    sound: Sound | None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[MimeBundle, MimeBundle]:
        alt = _alt(self.figure)
        bundle: MimeBundle = {}
        lines, parts = [], []
        if self.figure is not None:
            bundle["image/png"] = _png(self.figure)
            picture = base64.b64encode(bundle["image/png"]).decode("ascii")
            parts.append(f'<img alt="{html.escape(alt, quote=True)}" src="data:image/png;base64,{picture}">')
            lines.append(f"<figure: {alt}>")
        if self.sound is not None:
            parts.append(captioned(self.sound))
            lines.append(self.sound.line())
            # Front ends show HTML rather than PNG, so it has to hold both; without sound the PNG alone will do.
            bundle["text/html"] = "<br>".join(parts)
        return {**bundle, "text/plain": "\n".join(lines)}, {"image/png": {"alt": alt}} if self.figure else {}


def explore(
    render: Callable[..., Figure | Sound | tuple[Figure, Sound]], /, interactive: bool, **controls: Any
) -> ipywidgets.VBox | Rendering:
    """Show what `render(**values)` gives back, and again whenever a control moves.

    Args:
        render: takes one keyword per control; returns a figure, a sound (`play`) or both as `(figure, sound)`.
        interactive: False draws once, with the initial values and no widget: for runs without a browser.
        controls: for each argument an ipywidgets control, or `(value, min, max)` for a slider: of whole
            numbers if all three are.

    An error in `render` is shown in red below the controls and raised as well, so that no run hides it.
    Raises `CtxAudioError` for a control or a return value of another kind.
    """
    widgets = {name: _control(name, given) for name, given in controls.items()}

    def values() -> dict[str, Any]:
        return {name: widget.value for name, widget in widgets.items()}

    first = _rendering(render(**values()))
    if not interactive:
        return first
    image = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%"))
    below = ipywidgets.HTML()

    def show(rendering: Rendering) -> None:
        image.layout.display = "none" if rendering.figure is None else None
        if rendering.figure is not None:
            image.value = _png(rendering.figure)
        below.value = "" if rendering.sound is None else captioned(rendering.sound)

    def update(_change: Any) -> None:
        try:
            show(_rendering(render(**values())))
        except Exception as error:
            below.value = f"<pre style='color:#B00020'>{html.escape(f'{type(error).__name__}: {error}')}</pre>"
            raise

    show(first)
    for widget in widgets.values():
        widget.observe(update, names="value")
    return ipywidgets.VBox([*widgets.values(), image, below])


def _control(name: str, given: Any) -> Any:
    widget = _slider(name, given) if isinstance(given, tuple) else given
    if not isinstance(widget, ipywidgets.ValueWidget):
        raise CtxAudioError(f"control {name!r} must be (value, min, max) or an ipywidgets control, not {given!r}")
    if widget.has_trait("continuous_update"):
        widget.continuous_update = False
    if widget.has_trait("description") and not widget.description:
        widget.description = _described(name)
        widget.style.description_width = "initial"
    return widget


def _slider(name: str, given: tuple[Any, ...]) -> Any:
    if len(given) != 3 or not all(isinstance(number, (int, float)) for number in given):
        raise CtxAudioError(f"control {name!r} must be three numbers (value, min, max), not {given!r}")
    value, low, high = given
    if not low <= value <= high or low == high:
        raise CtxAudioError(f"control {name!r}: the value {value} must lie in {low}..{high}, and these must differ")
    if all(isinstance(number, int) for number in given):
        return ipywidgets.IntSlider(value=value, min=low, max=high)
    return ipywidgets.FloatSlider(value=value, min=low, max=high, step=(high - low) / STEPS)


def _described(name: str) -> str:
    *words, last = name.split("_")
    return f"{' '.join(words)} ({_UNITS[last]})" if words and last in _UNITS else " ".join([*words, last])


def _rendering(result: Any) -> Rendering:
    match result:
        case Figure():
            return Rendering(result, None)
        case Sound():
            return Rendering(None, result)
        case (Figure() as figure, Sound() as sound):
            return Rendering(figure, sound)
    raise CtxAudioError(f"render must return a figure, a sound or (figure, sound), not {type(result).__name__}")


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _alt(figure: Figure | None) -> str:
    return str(getattr(figure, "alt", "figure"))
