"""Print contexts, bands and targets with their evidence grades."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ctxaudio.contexts import catalogue


def add_to(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(options: argparse.Namespace) -> int:
    content = catalogue()
    if options.json:
        print(json.dumps(content, indent=2))
        return 0
    for name, about in {**content["contexts"], "all": content["all"]}.items():
        depths = {**about["band_depths"], **about["target_depths"]}
        print(f"{name} (evidence {_told(about['evidence'])})")
        print(f"  conditions: {', '.join(f'{i} {label}' for i, label in enumerate(about['conditions']))}")
        print(f"  modulation: {', '.join(f'{name} {depth:g}' for name, depth in depths.items()) or 'none'}")
    print("\nbands (envelope rates)")
    for name, band in content["bands"].items():
        print(f"  {name:<10} {band['low_hz']:g}-{band['high_hz']:g} Hz, associated with {band['association']}")
    print(f"  evidence {_told(band['evidence'])}")
    print("targets")
    for name, target in content["targets"].items():
        print(f"  {name:<10} {target['frequency_hz']:g} Hz {target['kind']}, {_told(target['evidence'])}")
    print("methods")
    for name, evidence in content["methods"].items():
        print(f"  {name}, {_told(evidence)}")
    print(f"safe listening\n  {content['safe_listening']}")
    return 0


def _told(evidence: dict[str, Any]) -> str:
    return f"{evidence['grade']}: {evidence['says']} ({evidence['source']})"
