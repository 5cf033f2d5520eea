import sys
from pathlib import Path

from sounds import RATE, noise

from ctxaudio.evaluation.embeddings import embedding_named


def test_the_known_packages_are_called_as_they_document_it(tmp_path: Path, monkeypatch):
    (tmp_path / "panns_inference.py").write_text(
        "class AudioTagging:\n"
        "    def __init__(self, checkpoint_path, device): pass\n"
        "    def inference(self, audio): return None, audio[:, :2048]\n"
    )
    (tmp_path / "laion_clap.py").write_text(
        "class CLAP_Module:\n"
        "    def __init__(self, enable_fusion): self.loaded = False\n"
        "    def load_ckpt(self): self.loaded = True\n"
        "    def get_audio_embedding_from_data(self, x, use_tensor):\n"
        "        assert self.loaded and not use_tensor\n"
        "        return x[:, :512]\n"
    )
    package = tmp_path / "torchvggish"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import torch\nfrom . import vggish_input\n"
        "class vggish:\n"
        "    def eval(self): return self\n"
        "    def forward(self, examples): return torch.ones(len(examples), 128)\n"
    )
    (package / "vggish_input.py").write_text(
        "def waveform_to_examples(data, sample_rate): return [0] * int(len(data) / sample_rate / 0.96)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("panns_inference", "laion_clap", "torchvggish", "torchvggish.vggish_input"):
        monkeypatch.setitem(sys.modules, name, None)  # so that the stand-ins are gone again after this test
        del sys.modules[name]
    shapes = {name: embedding_named(name)(noise(0), RATE).shape for name in ("panns", "clap", "vggish")}
    assert shapes == {"panns": (1, 2048), "clap": (1, 512), "vggish": (2, 128)}
    assert embedding_named("vggish")(noise(0, 0.4), RATE).shape == (1, 128)
