"""Features of a picture at several depths of EfficientNet-lite0, and its colours."""

from __future__ import annotations

import torch

from mmbook.encoders.embedding_cache import cached
from mmbook.encoders.image import ImageEncoder
from mmbook.encoders.weights import EFFICIENTNET_LITE0
from mmbook.threads import use_threads
from mmbook.training import progress

COLOURS = 8  # bins for each of red, green and blue


class DepthEncoder(ImageEncoder):
    """EfficientNet-lite0, frozen, read after five of its 16 blocks and at its output: 3,456 numbers per picture.

    A network for 1,000 ImageNet classes forgets on its way what these classes don't need. Early blocks still know
    edges and textures, the last ones parts of objects (Zeiler and Fergus 2014, section 4). Each feature map is read
    by its mean over all cells (how much) and its maximum (whether anywhere).

    Attributes:
        dim: 3456. parts: name of a depth, ``"block 2"`` to ``"output"`` -> the columns of its means and maxima.
    """

    dim = 3456
    blocks = (2, 4, 7, 10, 14)  # the last block of each width: 24, 40, 80, 112 and 192 channels
    parts = {
        "block 2": slice(0, 48),
        "block 4": slice(48, 128),
        "block 7": slice(128, 288),
        "block 10": slice(288, 512),
        "block 14": slice(512, 896),
        "output": slice(896, 3456),
    }

    def encode(self, images: torch.Tensor, batch_size: int = 16) -> torch.Tensor:
        """Means and maxima of all depths: uint8 (n, 3, H, W) -> float32 (n, 3456); cached on disk."""
        key = [EFFICIENTNET_LITE0.sha256.encode(), f"depths-{self.side}-{tuple(images.shape)}".encode()]
        key.append(images.contiguous().numpy().tobytes())
        return cached(key, lambda: self._encode(images, batch_size))

    @torch.no_grad()
    def maps(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The feature maps, first to last: uint8 (batch, 3, H, W) -> six of (batch, channels, rows, columns)."""
        kept: list[torch.Tensor] = []
        layers = [self.model._blocks[index] for index in self.blocks]
        hooks = [layer.register_forward_hook(lambda _layer, _inputs, out: kept.append(out)) for layer in layers]
        try:
            output = self.cells(images)
        finally:
            for hook in hooks:
                hook.remove()
        return [*kept, output]

    def _encode(self, images: torch.Tensor, batch_size: int) -> torch.Tensor:
        use_threads()
        rows = []
        for batch in progress(images.split(batch_size), "image embeddings"):
            maps = self.maps(batch)
            rows.append(torch.cat([part for m in maps for part in (m.mean(dim=(2, 3)), m.amax(dim=(2, 3)))], dim=1))
        return torch.cat(rows)


def colours(images: torch.Tensor) -> torch.Tensor:
    """Root of the share of pixels in each of 512 colours: uint8 (n, 3, H, W) -> float32 (n, 512), rows of length 1.

    The root makes the inner product of two rows the Bhattacharyya coefficient of their histograms.

    Raises:
        ValueError: another type or shape.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be uint8 (n, 3, H, W), got {images.dtype} {tuple(images.shape)}")
    step = 256 // COLOURS
    red, green, blue = (images // step).long().flatten(2).unbind(dim=1)  # (n, pixels) each
    code = (red * COLOURS + green) * COLOURS + blue
    counts = torch.zeros(len(images), COLOURS**3)
    counts.scatter_add_(1, code, torch.ones_like(code, dtype=torch.float32))
    return (counts / code.shape[1]).sqrt()
