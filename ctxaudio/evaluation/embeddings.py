"""Optional: distances in the embeddings of a trained network, by a package on the user's machine.

None of these packages comes with ctxaudio, and each downloads its weights at first use (here they are written to the
packages' documented interfaces and tested with stand-ins). PANNs: Kong et al. 2020 (arXiv:1912.10211), 32 kHz. CLAP:
Wu et al. 2023 (arXiv:2211.06687), 48 kHz. VGGish: Hershey et al. 2017 (arXiv:1609.09430), resamples by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.envelope import Array
from ctxaudio.signal.filters import resample

Embedding = Callable[[FloatArray, int], Array]

PANNS_RATE, CLAP_RATE = 32000, 48000


def embedding_named(name: str) -> Embedding:
    """The embedding of `panns`, `clap`, `vggish`, or a user's `module:function`: from `[T]` to `[n, K]`.

    A user's function takes samples `[T]` float32 and the sample rate in hertz, and gives back `[K]` or `[n, K]`.

    Raises `CtxAudioError` for an unknown name, a package, module or function that isn't there; and, when called, where
    what comes back is not `[K]` or `[n, K]` finite numbers.
    """
    if name in KNOWN:
        package, make = KNOWN[name]
        try:
            return partial(_checked, name, make(import_module(package)))
        except ImportError as error:
            raise CtxAudioError(f"--embedding {name} needs a package of its own: pip install {package}") from error
    if ":" not in name:
        raise CtxAudioError(f"--embedding {name!r} is none of {', '.join(KNOWN)}, nor module:function")
    module_name, _, function_name = name.partition(":")
    here = str(Path.cwd())  # where `python -m` looks, and a console script does not
    sys.path.insert(0, here)
    try:
        function = getattr(import_module(module_name), function_name, None)
    except ImportError as error:
        raise CtxAudioError(f"--embedding {name}: can't import {module_name} ({error})") from error
    except ValueError as error:
        raise CtxAudioError(f"--embedding {name}: {module_name!r} can't name a module") from error
    finally:
        sys.path.remove(here)
    if not callable(function):
        raise CtxAudioError(f"--embedding {name}: {module_name} has no function {function_name!r}")
    return partial(_checked, name, function)


def _checked(name: str, embed: Callable[[FloatArray, int], Any], samples: FloatArray, sample_rate: int) -> Array:
    rows = np.atleast_2d(np.asarray(embed(samples, sample_rate), dtype=np.float64))
    if rows.ndim != 2 or rows.size == 0 or not np.isfinite(rows).all():
        raise CtxAudioError(f"--embedding {name} gave shape {rows.shape}: it takes [K] or [n, K] finite numbers")
    return rows


def _panns(package: Any) -> Callable[[FloatArray, int], Any]:
    tagger = package.AudioTagging(checkpoint_path=None, device="cpu")
    return lambda samples, sample_rate: tagger.inference(resample(samples, sample_rate, PANNS_RATE)[None])[1]


def _clap(package: Any) -> Callable[[FloatArray, int], Any]:
    model = package.CLAP_Module(enable_fusion=False)
    model.load_ckpt()
    return lambda samples, sample_rate: model.get_audio_embedding_from_data(
        x=resample(samples, sample_rate, CLAP_RATE)[None], use_tensor=False
    )


def _vggish(package: Any) -> Callable[[FloatArray, int], Any]:
    model = package.vggish()
    model.eval()

    def embed(samples: FloatArray, sample_rate: int) -> Any:
        long_enough = np.tile(samples, -(-sample_rate // max(1, len(samples))))  # an example is 0.96 s
        examples = package.vggish_input.waveform_to_examples(long_enough, sample_rate)
        return model.forward(examples).detach().cpu().numpy()

    return embed


KNOWN = {"panns": ("panns_inference", _panns), "clap": ("laion_clap", _clap), "vggish": ("torchvggish", _vggish)}
