"""Context-specific sound that you can train, measure and trust."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ctxaudio.contexts import BANDS, CONTEXTS, TARGETS
    from ctxaudio.errors import CtxAudioError
    from ctxaudio.evaluation.folders import batch_analyze_frequencies
    from ctxaudio.modulation.layer import FrequencyModulationLayer
    from ctxaudio.modulation.profile import ModulationProfile, modulation_profile
    from ctxaudio.run import Run

__all__ = [
    "BANDS",
    "CONTEXTS",
    "TARGETS",
    "CtxAudioError",
    "FrequencyModulationLayer",
    "ModulationProfile",
    "Run",
    "__version__",
    "batch_analyze_frequencies",
    "modulation_profile",
]

_HOME = {
    "BANDS": "ctxaudio.contexts",
    "CONTEXTS": "ctxaudio.contexts",
    "TARGETS": "ctxaudio.contexts",
    "CtxAudioError": "ctxaudio.errors",
    "FrequencyModulationLayer": "ctxaudio.modulation.layer",
    "ModulationProfile": "ctxaudio.modulation.profile",
    "Run": "ctxaudio.run",
    "batch_analyze_frequencies": "ctxaudio.evaluation.folders",
    "modulation_profile": "ctxaudio.modulation.profile",
}


def __getattr__(name: str) -> Any:
    # Loading torch and librosa takes seconds: only when something that needs them is asked for.
    if name not in _HOME:
        raise AttributeError(f"module 'ctxaudio' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
