"""What a model a context costs beside one for all: `ctxaudio train` a few minutes each, on an otherwise idle machine.

.venv/bin/python tests/benchmarks/costs.py --data_dir DIR --output_dir OUT --minutes 3 [--contexts sleep all]

Prints a table as markdown and writes OUT/costs.json. A process each, so that the peak of memory is its own.
`crops_a_condition` is how much a minute of training brings to each condition that has clips: what one for all pays.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file

from ctxaudio.contexts import ALL, CONTEXTS
from ctxaudio.files import read_json, write_json

FOREVER = str(10**6)
SUMMED = ("clips", "file_mb", "parameters_m", "minutes_to_train")


def trained(context: str, data_dir: Path, folder: Path, minutes: float, batch_size: int) -> dict[str, Any]:
    """Train a model of `context` into `folder` in a process of its own; a row of the table."""
    command = [sys.executable, "-m", "ctxaudio", "train", "--context", context, "--data_dir", str(data_dir)]
    command += ["--output_dir", str(folder), "--max_minutes", str(minutes), "--batch_size", str(batch_size)]
    command += ["--num_epochs", FOREVER, "--sample_interval", FOREVER, "--save_interval", FOREVER]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"training {context} failed with {process.returncode}")
    return row(context, folder / "models" / "generator_final.safetensors", minutes, batch_size, used.ru_maxrss / 1024)


def row(context: str, model: Path, minutes: float, batch_size: int, peak_mb: float) -> dict[str, Any]:
    about = read_json(model.with_suffix(".json"))
    held = {name: counts["train"] for name, counts in about["clips"].items() if counts.get("train")}
    steps_a_minute = 60 * about["training"]["steps"] / about["training"]["seconds"]
    return {
        "context": context,
        "conditions": len(held),
        "clips": sum(held.values()),
        "parameters_m": round(parameters(model) / 1e6, 3),
        "file_mb": round(model.stat().st_size / 1e6, 2),
        "steps_a_minute": round(steps_a_minute, 1),
        "crops_a_condition": round(steps_a_minute * batch_size / len(held)),
        "peak_memory_mb": round(peak_mb),
        "minutes_to_train": minutes,
    }


def parameters(model: Path) -> int:
    """How many numbers are learned: all in the file but the bank of styles, which is measured."""
    return sum(weight.numel() for name, weight in load_file(model).items() if not name.startswith("bank."))


def with_sum(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows, and before that of all contexts what the models of each are together."""
    table = pd.DataFrame(rows).set_index("context")
    each = table[table.index.isin(list(CONTEXTS))]
    if len(each) > 1:
        table.loc[f"{len(each)} models together"] = each[list(SUMMED)].sum()
        table = table.reindex([*each.index, f"{len(each)} models together", *(table.index.intersection([ALL.name]))])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data_dir", type=Path, required=True)
    add("--output_dir", type=Path, required=True)
    add("--minutes", type=float, default=3.0, help="of training, each")
    add("--batch_size", type=int, default=16)
    add("--contexts", nargs="+", default=[*CONTEXTS, ALL.name])
    options = parser.parse_args()
    rows = []
    for context in options.contexts:
        folder = options.output_dir / context
        rows.append(trained(context, options.data_dir, folder, options.minutes, options.batch_size))
        print(rows[-1], flush=True)
    table = with_sum(rows)
    threads = os.environ.get("OMP_NUM_THREADS", str(torch.get_num_threads()))
    about = {"minutes": options.minutes, "batch_size": options.batch_size, "threads": threads, "rows": rows}
    write_json(options.output_dir / "costs.json", about)
    text = table.astype(object).where(table.notna(), "").reset_index()
    print("| " + " | ".join(text.columns) + " |\n|" + "---|" * len(text.columns))
    print(
        "\n".join(
            "| " + " | ".join(f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in line) + " |"
            for line in text.itertuples(index=False)
        )
    )


if __name__ == "__main__":
    main()
