"""One thread, wherever work begins; and nothing at import."""

import subprocess
import sys

import pytest
import torch

from mmbook.encoders.image import ImageEncoder
from mmbook.encoders.text import TextEncoder
from mmbook.threads import use_threads
from mmbook.training import predict, set_seed


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


BEGINNINGS = {
    "seed": lambda: set_seed(0),
    "predict": lambda: predict(torch.nn.Identity(), {"input": torch.ones(2)}),
    "pictures": lambda: ImageEncoder()._encode(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), 1),
    "texts": lambda: TextEncoder()._encode(["a word"], 1),
}


@pytest.mark.parametrize("begin", BEGINNINGS.values(), ids=BEGINNINGS)
def test_one_thread_wherever_work_begins(begin):
    begin()
    assert torch.get_num_threads() == 1


def test_the_environment_decides_if_it_wants(monkeypatch):
    monkeypatch.setenv("MMBOOK_THREADS", "2")
    assert use_threads() == torch.get_num_threads() == 2
    monkeypatch.setenv("MMBOOK_THREADS", "many")
    with pytest.raises(ValueError, match="MMBOOK_THREADS"):
        use_threads()


def test_an_import_chooses_nothing():
    code = "import torch; torch.set_num_threads(2); import mmbook.training, mmbook.encoders.text; "
    code += "print(torch.get_num_threads())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2"
