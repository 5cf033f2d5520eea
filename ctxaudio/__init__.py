"""Context-specific sound that you can train, measure and trust."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "BANDS": "contexts",
    "CONTEXTS": "contexts",
    "TARGETS": "contexts",
    "CtxAudioError": "errors",
    "FrequencyModulationLayer": "modulation.layer",
    "ModulationProfile": "modulation.profile",
    "Run": "options",
    "batch_analyze_frequencies": "evaluation.folders",
    "modulation_profile": "modulation.profile",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    # Loading torch and librosa takes seconds: only when something that needs them is asked for.
    if name not in _HOME:
        raise AttributeError(f"module 'ctxaudio' has no attribute {name!r}")
    return getattr(import_module(f"ctxaudio.{_HOME[name]}"), name)
