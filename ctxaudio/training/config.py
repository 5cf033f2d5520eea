"""How long, how hard and on what to train: names and defaults are those of the command line."""

from __future__ import annotations

from dataclasses import dataclass

from ctxaudio.errors import CtxAudioError

#: Epochs that no training gets through, where the minutes decide.
NO_LIMIT_OF_EPOCHS = 1_000_000


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training. Raises `CtxAudioError` for a value out of range.

    `lambda_adversarial` weighs the discriminator (authenticity, and `lambda_aux` of condition) against
    `lambda_texture`, the energy score of texture statistics. `max_minutes` None: until `num_epochs` are done. `crop_s`
    is the length of a training crop; the generator makes any length.

    Scores are taken every `score_interval_s` of training, or every `score_interval` steps where `num_epochs` rules,
    so that such a run does not depend on the machine's speed. `keep_going`: report what is wrong with
    a training, but don't stop for it.
    """

    batch_size: int = 16
    num_epochs: int = 100
    lr: float = 0.0002
    lambda_aux: float = 1.0
    log_interval: int = 10
    sample_interval: int = 1
    save_interval: int = 10
    max_minutes: float | None = None
    seed: int = 0
    device: str = "cpu"
    crop_s: float = 2.0
    lambda_adversarial: float = 0.25
    lambda_texture: float = 20.0
    ema_decay: float = 0.999
    score_interval_s: float = 60.0
    score_interval: int = 100
    keep_going: bool = False

    def __post_init__(self) -> None:
        above_zero = ("batch_size", "num_epochs", "lr", "log_interval", "sample_interval", "save_interval")
        for name in (*above_zero, "score_interval_s", "score_interval", "crop_s"):
            if not getattr(self, name) > 0:
                raise CtxAudioError(f"{name} {getattr(self, name)} must be above 0")
        for name in ("lambda_aux", "lambda_adversarial", "lambda_texture"):
            if not getattr(self, name) >= 0:
                raise CtxAudioError(f"{name} {getattr(self, name)} must not be negative")
        if self.max_minutes is not None and not self.max_minutes > 0:
            raise CtxAudioError(f"max_minutes {self.max_minutes} must be above 0")
