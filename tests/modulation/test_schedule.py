"""Schedules from YAML: what is wrong with one is said in one line, at once, whatever the file holds."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.schedule import Schedule, Step, parse_schedule, read_schedule, read_yaml, schedule_of

STEP = "steps:\n- {minute: 0, rate_hz: 10}\n"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_a_schedule_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "night.yaml"
    path.write_text(
        "glide_s: 30\nsteps:\n- {minute: 0, band: alpha, rate_hz: 10, depth: 0.3}\n- {minute: 20, band: delta}\n"
    )
    assert read_schedule(path) == Schedule((Step(0.0, 10.0, 0.3), Step(20.0, 2.0, 0.2)), glide_s=30.0)
    assert parse_schedule("0:alpha 10 0.3, 20:delta", glide_s=30.0) == read_schedule(path)


def test_levels_and_conditions_go_with_the_steps(tmp_path: Path) -> None:
    path = tmp_path / "night.yaml"
    path.write_text(STEP + "- {minute: 1, rate_hz: 6, level_db: -6, condition: Rain}\nglide_s: 30\n")
    schedule = schedule_of(read_yaml(path), path)
    assert schedule.levels() == [(0.0, 0.0), (60.0, 0.0), (90.0, -6.0)]
    assert schedule.conditions() == [(60.0, "Rain")]
    with pytest.raises(CtxAudioError, match=r"night\.yaml names a condition: only a generated session has one"):
        read_schedule(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps:\n- {minute: 0, rate_hz: 6, level_db: 21}\n", "level_db 21.0 must be at least -60 and at most 20"),
        ("steps:\n- {minute: 0, rate_hz: 6, condition: [1]}\n", "is no condition"),
        (BOMB + "steps: [*i]\n", "aliases"),
        (STEP + "- {minute: 2024-01-01, rate_hz: 6}\n", "2024-01-01"),
        ("steps:\n- {minute: !!int abc, rate_hz: 6}\n", "'abc'"),
        (f"steps:\n- {{minute: 0, rate_hz: {'1' * 400}}}\n", "must be above 0 and at most 100"),
        (f"steps:\n- {{minute: {'9' * 5000}, rate_hz: 6}}\n", "minute inf must be at least 0 and at most 1440"),
        ("steps:\n- {minute: 0, rate_hz: .nan}\n", "'.nan'"),
        ("steps:\n- !!python/object/apply:os.system [exit]\n", "is not a step"),
        ("steps:\n- {minute: 0, rate_hz: [1, 2]}\n", "give minute"),
        ("steps:\n- {rate_hz: 6}\n", "is not a step"),
        ("steps:\n- {minute: 0}\n", "needs rate_hz or band"),
        ("steps:\n- {minute: 0, band: omega}\n", "unknown band 'omega'"),
        (STEP + "? [a]\n: b\n", "not valid YAML"),
        (STEP + "pace: 3\n", "unknown entry 'pace'"),
        ("steps: " + "[" * 15_000, "deep nesting"),
        ("steps:\n" + "- {minute: 0, rate_hz: 6}\n" * 5000, "over 20000 bytes"),
        ("\x00", "not valid YAML"),
        ("", "needs `steps:`"),
    ],
)
def test_a_hostile_file_is_one_short_line_at_once(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "night.yaml"
    path.write_text(text)
    started = time.process_time()
    with pytest.raises(CtxAudioError, match=r"night\.yaml") as raised:
        read_schedule(path)
    assert time.process_time() - started < 2.0
    assert message in str(raised.value) and "\n" not in str(raised.value) and len(str(raised.value)) < 700


@pytest.mark.skipif(os.name == "nt", reason="named pipes are POSIX")
def test_a_pipe_is_no_schedule(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(CtxAudioError, match="not a file"):
        read_schedule(tmp_path / "pipe.yaml")
