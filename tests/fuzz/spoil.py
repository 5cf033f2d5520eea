"""Ways to spoil bytes, JSON and arguments; each takes a `random.Random`, so that a seed names a case for good."""

from __future__ import annotations

import json
import random
import struct
from typing import Any

#: What a JSON may hold in place of what was meant.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 0.5, -0.0, 1e308, float("inf"), float("nan"), 2**31, 2**63, -(2**63), 10**400,
    "", " ", "7", "NaN", "x" * 5000, "x/../../../evil", "/evil", "..", "a\\b", "c:evil", "nul\0", "rain \ud83c",
    "line\nbreak", "<script>alert(1)</script>", "$$", "{0.__class__}", "%s%n", "\u202egnp", [], {}, [[]], [None],
    ["x"] * 1000, [1e9] * 3, {"a": {"b": []}}, {"": 0},
)  # fmt: skip
#: What an argument may say in place of what was meant.
WORDS = (
    "", " ", "0", "-1", "-0", "1e400", "-inf", "inf", "nan", "0x10", "1_0", "\u0663", "1,5", "1e-320", "3.7", "none",
    "None", "true", "--", "-", "=", "=1", "a=b=c", "../evil", "/evil/evil", "/dev/full", "/dev/null", "/proc/self/mem",
    "~", "$HOME", "`id`", "$(id)", "%d", "{}", "*", "\udcff", "x" * 300, "x" * 5000, "\u202e", "a\nb", "rain \u2614",
    "alpha=nan", "alpha=1e9", "alpha", "=0.3", "nope=0.3", "earth=-1", "schumann=0.3", "0:alpha", "Rain", "rain", "99",
)  # fmt: skip
EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000, 3)


def mangled(rng: random.Random, data: bytes) -> bytes:
    """`data` with one to three faults, mostly near its start, where the sizes are."""
    for _ in range(rng.randint(1, 3)):
        near = rng.random() < 0.6
        at = rng.randrange(min(len(data), 256) if near else len(data)) if data else 0
        length = rng.choice((1, 2, 4, 8, 64, 1000))
        fault = rng.randrange(9)
        if fault == 0:
            data = data[:at]
        elif fault == 1:
            data = data[:at] + rng.randbytes(length) + data[at + length :]
        elif fault == 2:
            data = data[:at] + struct.pack(rng.choice("<>") + "I", rng.choice(EXTREMES)) + data[at + 4 :]
        elif fault == 3:
            data = data[:at] + rng.randbytes(length) + data[at:]
        elif fault == 4:
            data = data[:at] + data[at + length :]
        elif fault == 5:
            data = data[:at] + data[at : at + length] * 3 + data[at + length :]
        elif fault == 6:
            data = data[:at] + bytes(length) + data[at + length :]
        elif fault == 7:
            data = data + rng.randbytes(length)
        elif data:
            data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
    return data if rng.random() > 0.03 else rng.choice((b"", rng.randbytes(5000), bytes(5000)))


def spoiled(rng: random.Random, content: Any) -> bytes:
    """JSON of `content` with one to three of its values replaced, missing or nested, and at times mangled as bytes."""
    content = json.loads(json.dumps(content))
    for _ in range(rng.randint(1, 3)):
        holder, key = rng.choice(_places(content) or [(None, None)])
        fault = rng.randrange(5)
        if holder is None:
            content = rng.choice(VALUES)
        elif fault == 0:
            del holder[key]
        elif fault == 1 and isinstance(holder, dict):
            holder[rng.choice(("", "extra", "../evil", "\ud83c", "x" * 300))] = rng.choice(VALUES)
        elif fault == 1:
            holder.append(rng.choice(VALUES))
        else:
            holder[key] = rng.choice(VALUES)
    text = json.dumps(content)
    if rng.random() < 0.1:
        depth = rng.choice((10, 1000, 200_000))
        text = text.replace(":", ":" + "[" * depth + "]" * depth + ",", 1) if depth == 10 else "[" * depth + text
    return mangled(rng, text.encode()) if rng.random() < 0.15 else text.encode(rng.choice(("utf-8",) * 8 + ("utf-16",)))


def _places(content: Any) -> list[tuple[Any, Any]]:
    """Every (dict or list, key or index) in `content`, a hundred of a long list."""
    if isinstance(content, dict):
        keys: list[Any] = list(content)
    elif isinstance(content, list):
        keys = list(range(min(100, len(content))))
    else:
        return []
    return [place for key in keys for place in [(content, key), *_places(content[key])]]
