"""Features at several depths."""

import pytest
import torch

from mmbook.encoders.image import ImageEncoder
from mmbook.encoders.image_depths import DepthEncoder, colours


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MMBOOK_CACHE", str(tmp_path))


@pytest.fixture(scope="module")
def pictures():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 3, 32, 32), generator=generator, dtype=torch.uint8)


def test_the_parts_are_means_and_maxima_of_each_depth(pictures):
    encoder = DepthEncoder(64)
    found = encoder.encode(pictures, batch_size=2)
    assert found.shape == (3, encoder.dim)
    maps = encoder.maps(pictures)
    assert [m.shape[1] for m in maps] == [24, 40, 80, 112, 192, 1280]
    assert [m.shape[2] for m in maps] == [16, 8, 4, 4, 2, 2]
    for part, m in zip(encoder.parts.values(), maps, strict=True):
        expected = torch.cat([m.mean(dim=(2, 3)), m.amax(dim=(2, 3))], dim=1)
        assert torch.allclose(found[:, part], expected, atol=1e-4)
    assert sum(part.stop - part.start for part in encoder.parts.values()) == encoder.dim


def test_its_output_is_what_the_image_encoder_gives(pictures):
    means = DepthEncoder(64).encode(pictures)[:, 896 : 896 + 1280]
    assert torch.allclose(means, ImageEncoder(64).encode(pictures), atol=1e-4)


def test_it_comes_from_the_cache_under_a_key_of_its_own(pictures, tmp_path):
    first = DepthEncoder(64).encode(pictures)
    assert torch.equal(DepthEncoder(64).encode(pictures), first)
    assert len(list(tmp_path.glob("*.npy"))) == 1
    ImageEncoder(64).encode(pictures)
    DepthEncoder(32).encode(pictures)
    assert len(list(tmp_path.glob("*.npy"))) == 3


def test_hooks_do_not_stay(pictures):
    encoder = DepthEncoder(32)
    encoder.maps(pictures)
    with pytest.raises(ValueError, match="uint8"):
        encoder.maps(pictures.float())
    assert not any(block._forward_hooks for block in encoder.model._blocks)


def test_colours_of_one_colour_and_of_two_halves():
    picture = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    picture[0] = 255
    picture[1, 0, :2] = 200  # half red, half black
    found = colours(picture)
    assert found[0, 511] == 1
    assert found[0].sum() == 1
    assert found[1, [0, 6 * 64]] == pytest.approx([0.5**0.5] * 2)
    assert torch.allclose(found.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("wrong", [torch.zeros(2, 3, 4, 4), torch.zeros(3, 4, 4, dtype=torch.uint8)])
def test_colours_want_bytes(wrong):
    with pytest.raises(ValueError, match="uint8"):
        colours(wrong)
