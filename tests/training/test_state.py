"""A training that was stopped, by Ctrl-C or by a kill, goes on as one that never was."""

import dataclasses
from pathlib import Path

import pytest
import torch
from small_model import SLEEP, TRAINING, Pairs, begin, stop_in_step

from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.options import Run
from ctxaudio.training import loop
from ctxaudio.training.state import LATEST, STATEFUL, Training, resume

CONFIG = dataclasses.replace(TRAINING, num_epochs=2)


def everything(training: Training) -> dict[str, torch.Tensor]:
    """All weights and states of both networks, of the average and of the optimisers."""
    found: dict[str, torch.Tensor] = {}
    for name, part in ((name, getattr(training, name)) for name in STATEFUL):
        if isinstance(part, torch.optim.Optimizer):
            moments = part.state_dict()["state"]
            found |= {f"{name} {i} {key}": value for i, state in moments.items() for key, value in state.items()}
        else:
            found |= {f"{name} {key}": value for key, value in part.state_dict().items()}
    return found | {"latents": torch.get_rng_state(), "crops": training.random.get_state()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def without_times(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def watched(training: Training, folder: Path) -> Training:
    """With samples on the way, which draw random numbers."""
    return loop.train(training, CONFIG, folder, lambda state: torch.randn(9), False)


def other_beginning(clips: PreparedClips) -> Training:
    """Other crops for the styles and other chance, all of which the checkpoint replaces."""
    torch.manual_seed(99)
    fresh = begin(clips, dataclasses.replace(CONFIG, batch_size=3, seed=5), kind=Pairs)
    fresh.batches = Pairs(clips, "train", 44100, CONFIG.batch_size, fresh.random)
    return fresh


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_stopping_anywhere_and_resuming_is_as_not_stopping(clips: PreparedClips, tmp_path: Path, stop: int):
    """Ctrl-C in an epoch (of two steps) or at its end, with samples on the way or without: bit for bit."""
    plain = loop.train(begin(clips, CONFIG, kind=Pairs), CONFIG, tmp_path / "whole", progress=False)
    whole = everything(plain)

    parts = begin(clips, CONFIG, kind=Pairs)
    stop_in_step(parts, stop)
    assert watched(parts, tmp_path).interrupted and parts.step == stop
    resumed = resume(other_beginning(clips), tmp_path)
    assert not watched(resumed, tmp_path).interrupted and resumed.step == plain.step == 4
    same(everything(resumed), whole)
    assert without_times(resumed.history) == without_times(plain.history)
    same(resumed.averaged.state_dict(), plain.averaged.state_dict())


@pytest.mark.parametrize("kill", [2, 3])
def test_a_kill_after_a_checkpoint_or_in_the_next_step_loses_nothing(
    clips: PreparedClips, tmp_path: Path, kill: int, monkeypatch: pytest.MonkeyPatch
):
    """A checkpoint is due at step 2; killed right after it, or in the step that follows."""
    plain = watched(begin(clips, CONFIG, kind=Pairs), tmp_path / "whole")

    parts = begin(clips, CONFIG, kind=Pairs)
    written = loop.checkpoint
    if kill == 2:

        def then_killed(training: Training, folder: Path) -> None:
            written(training, folder)
            raise MemoryError("killed")

        monkeypatch.setattr(loop, "checkpoint", then_killed)
    else:
        draw = parts.batches.next

        def killed():
            if parts.step == kill - 1:
                raise MemoryError("killed")
            return draw()

        parts.batches.next = killed
    with pytest.raises(MemoryError):
        watched(parts, tmp_path)
    monkeypatch.setattr(loop, "checkpoint", written)
    resumed = watched(resume(other_beginning(clips), tmp_path), tmp_path)
    same(everything(resumed), everything(plain))
    assert without_times(resumed.history) == without_times(plain.history)


def test_resuming_nothing_or_another_configuration_is_an_error(clips: PreparedClips, trained: Run, tmp_path: Path):
    with pytest.raises(CtxAudioError, match="nothing to resume"):
        resume(begin(clips), tmp_path)
    with pytest.raises(CtxAudioError, match="another configuration"):
        resume(begin(clips), trained.output_dir)
    (tmp_path / LATEST).parent.mkdir()
    (tmp_path / LATEST).write_bytes(b"not a checkpoint")
    with pytest.raises(CtxAudioError, match="damaged"):
        resume(begin(clips), tmp_path)


def test_other_conditions_of_the_same_number_are_another_configuration(clips: PreparedClips, tmp_path: Path):
    loop.checkpoint(begin(clips), tmp_path)
    renamed = dataclasses.replace(SLEEP, conditions=("Hail", *SLEEP.conditions[1:]))
    with pytest.raises(CtxAudioError, match="another configuration"):
        resume(begin(clips, shape=renamed), tmp_path)


def test_a_checkpoint_whose_origin_is_no_table_is_refused(clips: PreparedClips, tmp_path: Path):
    training = begin(clips)
    training.init_from = "base"  # type: ignore[assignment]
    loop.checkpoint(training, tmp_path)
    with pytest.raises(CtxAudioError, match="another configuration"):
        resume(begin(clips), tmp_path)
