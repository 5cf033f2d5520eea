"""Five contexts side by side: run once each, and taken up where it stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ctxaudio.contexts import CONTEXTS
from ctxaudio.course import course
from ctxaudio.course.course import run_contexts, settings
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import write_json
from ctxaudio.options import Run

TRY = "quick"


def leave_results(run: Run, preset: str, device: str = "cpu") -> None:
    """What a finished course has that the page reads."""
    figures = {"texture_distance": {"all_conditions": None}, "modulation": [], "verdicts": {}}
    evidence = {"grade": "D", "says": "Says <this>."}
    write_json(
        run.output_dir / "summary.json",
        {
            **settings(run, preset),
            "context": {"name": run.context, "evidence": evidence},
            "timings": {"training": {"steps": 3, "seconds": 6.0}},
            "data": {"clips": {"Rain": {"train": 3}}},
            "figures_of_merit": figures,
        },
    )
    (run.output_dir / "report.html").write_text("")
    clips = [
        {"condition": name, "file": f"{run.context}_{i}_{name}.wav"} for i, name in enumerate(["Rain", "Wind"] * 2)
    ]
    write_json(run.generated_dir / "generated.json", {"clips": clips})


def test_an_interrupted_call_goes_on_and_leaves_a_page(tmp_path: Path, monkeypatch, capsys) -> None:
    ran: list[str] = []

    def run_course(run: Run, preset: str, *, device: str) -> None:
        if run.context == "energy" and len(ran) < 4:
            ran.append("failed")
            raise CtxAudioError("interrupted")
        ran.append(run.context)
        leave_results(run, preset)

    monkeypatch.setattr(course, "run_course", run_course)
    run = Run("all", output_dir=tmp_path)
    with pytest.raises(CtxAudioError, match="interrupted"):
        run_contexts(run, TRY)
    run_contexts(run, TRY)
    assert ran == ["sleep", "focus", "relaxation", "failed", "energy", "meditation"]
    assert "context 1 of 5: sleep is there already" in capsys.readouterr().out
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    for name in CONTEXTS:
        assert f'<a href="{name}/report.html">{name}</a>' in page
        assert f'src="{name}/sham/{name}_0_Rain.wav"' in page and f'src="{name}/generated/{name}_1_Wind.wav"' in page
    assert page.count('<audio controls preload="none"') == 5 * 2 * 2 and page.count('onplay="for (const other') == 20
    assert "Says &lt;this&gt;." in page
    assert "prefers-color-scheme: dark" in page and "width=device-width" in page
    run_contexts(replace(run, seed=1), TRY)
    assert len(ran) == 11, "another seed is another run"
