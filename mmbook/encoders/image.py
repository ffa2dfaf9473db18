"""Image encoder: EfficientNet-lite0, trained on ImageNet, from pip."""

from __future__ import annotations

import torch
from torch.nn import functional

from mmbook.encoders.embedding_cache import cached
from mmbook.encoders.weights import EFFICIENTNET_LITE0
from mmbook.threads import use_threads
from mmbook.training import progress


class ImageEncoder:
    """EfficientNet-lite0 (4.65 M parameters), frozen: pictures in, 1,280 numbers per picture out.

    The convolutional network of Tan and Le (2019) in its variant without squeeze-and-excitation.

    Attributes:
        dim: 1280. model: the network.

    Raises:
        WeightsError: the weights are not here, or are other ones.
    """

    dim = 1280

    def __init__(self, side: int = 64) -> None:
        """``side``: pictures are resized to this many pixels before they enter."""
        from efficientnet_lite_pytorch import EfficientNet

        self.side = side
        self.model = EfficientNet.from_name("efficientnet-lite0")
        self.model.load_state_dict(torch.load(EFFICIENTNET_LITE0.path, weights_only=True))
        # channels-last kernels take a third less time on a CPU
        self.model.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    def preprocess(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (batch, 3, H, W) -> float32 (batch, 3, side, side), (x - 127) / 128.

        Raises:
            ValueError: another type or shape.
        """
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must be uint8 (batch, 3, H, W), got {images.dtype} {tuple(images.shape)}")
        size = (self.side, self.side)
        resized = functional.interpolate(images.float(), size=size, mode="bilinear", align_corners=False)
        return (resized - 127.0) / 128.0

    @torch.no_grad()
    def cells(self, images: torch.Tensor) -> torch.Tensor:
        """The last feature map: uint8 (batch, 3, H, W) -> float32 (batch, 1280, side/32, side/32)."""
        return self.model.extract_features(self.preprocess(images))

    def encode(self, images: torch.Tensor, batch_size: int = 16) -> torch.Tensor:
        """Mean over the cells: uint8 (n, 3, H, W) -> float32 (n, 1280); cached on disk.

        Small batches stay in the processor's cache: 16 pictures at a time take two thirds of the time of 64.
        """
        key = [EFFICIENTNET_LITE0.sha256.encode(), f"mean-{self.side}-{tuple(images.shape)}".encode()]
        key.append(images.contiguous().numpy().tobytes())
        return cached(key, lambda: self._encode(images, batch_size))

    def _encode(self, images: torch.Tensor, batch_size: int) -> torch.Tensor:
        use_threads()
        batches = progress(images.split(batch_size), "image embeddings")
        return torch.cat([self.cells(batch).mean(dim=(2, 3)) for batch in batches])
