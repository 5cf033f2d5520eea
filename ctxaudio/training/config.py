"""How long, how hard and on what to train: names and defaults are those of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ctxaudio.options import Options, option

#: Epochs that no training gets through, where the minutes decide.
NO_LIMIT_OF_EPOCHS = 1_000_000


@dataclass(frozen=True)
class TrainingConfig(Options):
    """Settings of a training. Raises `CtxAudioError` for a value out of range.

    `lambda_adversarial` weighs the discriminator (authenticity, and `lambda_aux` of condition) against
    `lambda_texture`, the energy score of texture statistics, without which fresh weights end up 17 % farther from
    recordings (four labels, 1,200 updates). `max_minutes` None: until `num_epochs` are done. `crop_s` is the length of
    a training crop; the generator makes any length.
    """

    batch_size: int = option(16, "crops a step", least=1, most=4096)
    num_epochs: int = option(100, "times through the clips; 100 is no limit with max_minutes", least=1)
    lr: float = option(0.0002, "learning rate, of which Adam takes twice", above=0, most=1)
    lambda_aux: float = option(1.0, "weight of the condition loss", least=0)
    num_workers: int = option(4, "processes that decode clips", least=1)
    log_interval: int = option(10, "steps between rows of the loss log", least=1)
    sample_interval: int = option(1, "epochs between sample sounds and pictures", least=1)
    save_interval: int = option(10, "epochs between checkpoints", least=1)
    max_minutes: float | None = option(None, "stop after this time", above=0)
    seed: int = option(0, "the same seed gives the same run on the same machine", least=0, most=2**31 - 1)
    device: str = option("cpu", "cpu, cuda, cuda:1 ...")
    crop_s: float = option(2.0, "", above=0, most=60)
    lambda_adversarial: float = option(1.0, "", least=0)
    lambda_texture: float = option(5.0, "", least=0)
    ema_decay: float = 0.999


@dataclass(frozen=True)
class Start:
    """What a training starts from; the base that ships with the package if nothing is asked for."""

    resume: bool = option(False, "go on from the checkpoint in output_dir")
    init_from: Path | None = option(None, "start from this generator's weights, not from the base's", metavar="MODEL")
    from_scratch: bool = option(False, "start from fresh weights, not from the base's")


@dataclass(frozen=True)
class Pretraining(Options):
    """What the base learns from: `recorded_share` of the crops of a batch are of recordings, where there are some.

    Raises `CtxAudioError` for a value out of range.
    """

    output_dir: Path = option(..., "folder for corpora, checkpoints and the finished base")
    data_dir: Path | None = option(None, "FSD50K; only its CC0 and CC-BY clips are used. Without it: synthesised sound")
    corpora: int = option(8, "synthesised corpora, each of a seed of its own", least=1)
    recorded_share: float = option(0.6, "", least=0, most=1)

    @property
    def path(self) -> Path:
        return self.output_dir / "base" / "base.safetensors"
