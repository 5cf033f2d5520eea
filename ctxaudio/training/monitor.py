"""What watches over a training: is it still worth its time, and Ctrl-C."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor

TERMS = ("discriminator", "adversarial", "condition", "texture", "diversity")
#: Fakes of different styles and latents beside the real crops of those styles, 1 being as different: .3 or more in
#: ordinary trainings; of a generator that ignores both what is left is chance, under .05.
LEAST_DIVERSITY = 0.1
#: Rows of the log in a row that must all be collapsed or exploded, and steps before a generator can be.
ROWS = 3
LEARNT_BY = 100
#: The largest ordinary loss is about 3.
LARGEST_LOSS = 20.0

Row = dict[str, float]


def diversity(fake: Tensor, real: Tensor) -> Tensor:
    """Mean deviation over a batch of the fakes' texture codes `[B, S]` beside that of the real crops'."""
    return fake.std(0).mean() / real.std(0).mean().clamp_min(1e-6)


def trouble(history: list[Row]) -> str:
    """What should stop the training, in a line, or nothing."""
    newest, last = history[-1], history[-ROWS:]
    step = newest["step"]
    if not all(math.isfinite(newest[name]) for name in TERMS):
        return f"training diverged at step {step:.0f} (a loss is not a number): lower --lr, or --resume earlier"
    for name in TERMS[:-1]:
        if len(last) == ROWS and all(abs(row[name]) > LARGEST_LOSS for row in last):
            return (
                f"training diverged at step {step:.0f} (the {name} loss is {newest[name]:.3g}, ordinary is under "
                "3): lower --lr"
            )
    if len(last) == ROWS and last[0]["step"] >= LEARNT_BY and all(r["diversity"] < LEAST_DIVERSITY for r in last):
        return (
            f"mode collapse at step {step:.0f}: generated textures differ {newest['diversity']:.2f} times as much "
            "as the clips do: lower --lr, raise --lambda_texture or --batch_size, or begin anew with another --seed"
        )
    return ""


@contextmanager
def finishing_the_step_on_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Inside, Ctrl-C only sets a flag (the yielded function); a second Ctrl-C stops at once."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    try:
        before = signal.signal(signal.SIGINT, ask)
    except ValueError:  # not the main thread: Ctrl-C does not come here
        yield lambda: False
        return
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
