from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from ctxaudio.cli import main
from ctxaudio.evaluation import dcase
from ctxaudio.files import read_json
from ctxaudio.model.checkpoint import load_generator
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.run import Run


def test_the_export_has_the_form_of_dcase_task_7(trained: Run, tmp_path: Path):
    generator, about = load_generator(trained.model_path)
    written = dcase.write_dcase(generator, about, tmp_path, ModulationProfile(), clips=2)
    assert list(written) == ["Rain", "Wind", "Cricket"]
    for name, paths in written.items():
        assert sorted((tmp_path / name).iterdir()) == paths
        assert [path.name for path in paths] == ["000.wav", "001.wav"]
        for path in paths:
            about_file = soundfile.info(path)
            assert (about_file.samplerate, about_file.channels, about_file.subtype) == (22050, 1, "PCM_16")
            assert about_file.frames == 4 * 22050
    first, second = (soundfile.read(path)[0] for path in written["Rain"])
    assert np.abs(first - second).max() > 0.01
    assert dcase.CLIPS == 100
    assert read_json(tmp_path / "generated.json")["attribution"] == about["attribution"]


def test_the_export_alone_needs_no_real_clips(trained: Run, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(dcase, "write_dcase", partial(dcase.write_dcase, clips=1))
    assert main(["evaluate", "--model_path", str(trained.model_path), "--dcase_dir", str(tmp_path / "d")]) == 0
    assert "3 clips of Rain, Wind, Cricket" in capsys.readouterr().out
