"""Schedules and argument values that nobody should type, and some that one may."""

from __future__ import annotations

import os
import random
from pathlib import Path

from inputs import Inputs, training
from spoil import WORDS, mangled

NUMBERS = (
    *("0", "-1", "1", "0.1", "6", "10", "100", "101", "1e-9", "1e9", "1e400", "1" * 400, "inf", "-inf", "nan", "0x10"),
    *("2026-01-01", "10:30", "~", "yes", "'6'", "[6]", "{a: 6}", "&a [*a]", "*a", "\u0666", "6Hz", "", "!!int abc"),
    "!!python/object/apply:os.system [id]",
)
YAML = (
    b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nsteps: [*c]\n",
    b"steps: " + b"[" * 3000,
    b"steps: &s [*s]\n",
    b"steps: 7",
    b"steps: []",
    b"[]",
    b"",
    b"\xff\xfe",
    b"steps:\n- minute: 0\n  rate_hz: 6\n" * 5000,
    b"steps:\n" + b"- {minute: 0, rate_hz: 6}\n" * 700,
    b"steps:\n" + b"".join(b"- {minute: %d, rate_hz: 6}\n" % i for i in range(700)),
    b"%YAML 9.9\n---\nsteps: []\n",
    b"!!python/object/new:os.system [id]\n",
    b"? {steps: 1}\n: 2\n",
    b"steps: [{minute: 0, rate_hz: 6}]\n---\nsteps: []\n",
    b"\t- x: [",
    b"<<: {steps: [{minute: 0, rate_hz: 6}]}\n",
    b"steps: [{minute: 0, rate_hz: 6}]\nglide_s: !!float .nan\n",
    b"steps: [{minute: 0, rate_hz: 6}]\nfades: 3\n",
    b"steps: [{minute: 0, band: [alpha]}]\n",
    b"steps: [{minute: 0, band: {}}]\n",
    b"steps: {minute: 0, rate_hz: 6}\n",
    b"steps: 'x'\n[a]: 3\n",
)
MODULATION = "context depth rate_hz schedule lufs true_peak fade_s control carrier_hz tone_db"
CLIPS = "labels licenses rating exclude"
#: Command lines that are fine, and the options of the command of which some get a word in place of what is there.
COMMANDS = {
    "modulate": ("SOUND out/o.wav --method am --rate_hz 6", f"{MODULATION} profile method"),
    "generate": (
        "--model_path MODEL --num_samples 1 --duration 0.5 --output_dir out",
        "context sample_rate duration latent_dim seed focus_condition bands targets model_path",
    ),
    "session": (
        "--model_path MODEL --minutes 0.1 --output_path out/s.flac",
        f"{MODULATION} model_path input seed focus_condition channels output_path",
    ),
    "analyze": ("SOUND --output_dir out", "against rates_hz window_s"),
    "evaluate": ("--model_path MODEL --data_dir CORPUS --num_samples 2 --output_dir out", "data_dir num_samples seed"),
    "prepare": (
        "--data_dir CORPUS --output_dir out --num_workers 1",
        f"{CLIPS} context sample_rate seed num_workers data_dir",
    ),
    "train": (
        " ".join(training(Path("CORPUS"), Path("out"))[1:]),
        f"{CLIPS} context sample_rate latent_dim seed lr lambda_aux log_interval device init_from max_minutes",
    ),
    "fetch": ("--data_dir out --dry_run --all", f"{CLIPS} context split seed max_clips"),
    "demo": ("--output_dir out --duration 0.4", "seed"),
    "course": ("--preset nope --output_dir out", "context seed duration sample_rate preset device"),
    "pretrain": ("--output_dir out --corpora 0", "corpora data_dir"),
    "contexts": ("", "json"),
}


def schedules(rng: random.Random, whole: Inputs, here: Path) -> list[str]:
    """A modulation by a schedule: in YAML, as text, or as neither."""
    if rng.random() < 0.55:
        path = here / rng.choice(("s.yaml", "s.yml", "s.yaml", "\udcff.yaml", "$$.yml"))
        special = rng.randrange(20)
        if special == 0:
            os.mkfifo(path)
        elif special == 1:
            rng.choice((path.mkdir, lambda: path.symlink_to("/dev/zero"), lambda: path.symlink_to(path.name)))()
        elif special < 8:
            path.write_bytes(rng.choice(YAML))
        else:
            steps = "".join(
                f"- {{minute: {_number(rng, i)}, {rng.choice(('rate_hz', 'band', 'depth', 'hz'))}: {_number(rng, 6)}"
                f"{rng.choice(('', ', depth: ' + rng.choice(NUMBERS), ', band: theta', ', rate_hz: 6'))}}}\n"
                for i in range(rng.randint(1, 4))
            )
            content = f"glide_s: {_number(rng, 5)}\nsteps:\n{steps}".encode()
            path.write_bytes(mangled(rng, content) if rng.random() < 0.3 else content)
        asked = str(path)
    else:
        asked = rng.choice((", ", ",", ";", "\n")).join(
            f"{_number(rng, i)}{rng.choice((':', ':', ':', '', '::', ' : '))}"
            f"{rng.choice(('alpha ', 'theta ', 'off', '', 'nope ', 'ALPHA '))}{_number(rng, 6)}"
            f"{rng.choice(('', '', ' 0.2', ' ' + rng.choice(NUMBERS)))}"
            for i in range(rng.choice((1, 2, 3, 3, 5000)))
        )
    out = f"out/o.{rng.choice(('wav', 'flac'))}"
    if rng.random() < 0.8:
        return ["modulate", str(whole.sound), out, "--schedule", asked]
    return ["session", "--input", str(whole.sound), "--minutes", "0.1", "--output_path", out, "--schedule", asked]


def _number(rng: random.Random, fine: float) -> str:
    return f"{fine:g}" if rng.random() < 0.75 else rng.choice(NUMBERS)


def arguments(rng: random.Random, whole: Inputs) -> list[str]:
    """A command with one to three options that have an odd value, or with an odd shape."""
    command = rng.choice(list(COMMANDS))
    base, options = (text.split() for text in COMMANDS[command])
    places = {"SOUND": whole.sound, "MODEL": whole.model, "CORPUS": whole.corpus}
    given = [str(places.get(word, word)) for word in base]
    for name in rng.sample(options, min(len(options), rng.randint(1, 3))):
        values = [rng.choice(WORDS) for _ in range(rng.choice((0, 1, 1, 1, 1, 2)))]
        at = given.index(f"--{name}") if f"--{name}" in given else len(given)
        given[at : at + 2] = (
            [f"--{name}={values[0]}"] if len(values) == 1 and rng.random() < 0.3 else [f"--{name}", *values]
        )
    shape = rng.randrange(12)
    if shape == 0:
        given.insert(rng.randrange(len(given) + 1), rng.choice(WORDS))
    elif shape == 1:
        return ["--mode", rng.choice((command, "generate", *WORDS)), *given]
    elif shape == 2:
        return [rng.choice(WORDS), *given]
    elif shape == 3 and given:
        del given[rng.randrange(len(given))]
    return [command, *given]
