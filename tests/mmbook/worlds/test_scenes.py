"""Scenes, their words and the vehicle: the truth is what the generator says, and no input tells more than it should."""

import pytest
import torch

from mmbook.worlds import scene_captions, scene_questions, scene_videos
from mmbook.worlds.scene_questions import ANSWERS, KINDS
from mmbook.worlds.scene_videos import MOTIONS
from mmbook.worlds.scene_words import WORDS, tokenize
from mmbook.worlds.scenes import COLORS, GROUND, SHAPES, draw_scenes, masks, render
from mmbook.worlds.vehicle import SIDE, World, read_places

COUNT = 1200


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def questions():
    return scene_questions.World().sample(COUNT, seed=3)


def test_masks_are_whole_apart_and_where_the_centers_are():
    scenes = draw_scenes(200, 4, generator())
    found = masks(scenes, side=64)
    assert found.shape == (200, 4, 64, 64)
    assert found.sum(dim=1).max() == 1  # no two objects share a pixel
    assert found.flatten(2).any(dim=-1).all()
    at = (torch.arange(64) + 0.5) / 64
    share = found / found.sum(dim=(-2, -1), keepdim=True)
    middle = torch.stack([(share.sum(-1) * at).sum(-1), (share.sum(-2) * at).sum(-1)], dim=-1)
    assert (middle - scenes.center).abs().max() < 0.04  # a triangle's centroid lies a little lower
    reach = scenes.radius.unsqueeze(-1)
    assert (scenes.center - reach).min() > -1e-6
    assert (scenes.center + reach).max() < 1 + 1e-6


def test_pictures_have_the_colors_of_their_objects():
    scenes = draw_scenes(50, 3, generator(1))
    image, mask = render(scenes, 32), masks(scenes, 32)
    palette = torch.tensor(list(COLORS.values()))
    for thing in range(3):
        for i in range(50):
            painted = image[i][:, mask[i, thing]]
            assert torch.equal(painted, palette[scenes.color[i, thing]][:, None].expand_as(painted))
    assert (image.permute(0, 2, 3, 1)[~mask.any(dim=1)] == GROUND).all()


def test_a_scene_looks_alike_at_any_size():
    scenes = draw_scenes(20, 3, generator(2))
    small, large = render(scenes, 32), render(scenes, 128)
    shrunk = torch.nn.functional.avg_pool2d(large, 4)
    assert (shrunk - small).abs().mean() < 0.02


def test_no_two_objects_of_a_scene_are_alike():
    scenes = draw_scenes(300, 6, generator(3))
    kinds = (scenes.color * len(SHAPES) + scenes.shape).sort(dim=1).values
    assert (kinds.diff(dim=1) > 0).all()


@pytest.mark.parametrize("objects", [0, 17])
def test_scenes_that_can_not_be_drawn(objects):
    with pytest.raises(ValueError, match="objects"):
        draw_scenes(1, objects, generator())


@pytest.mark.parametrize("options", [{}, {"kinds": ("color",), "prior": 0.8, "test_prior": "inverted"}, {"objects": 5}])
def test_the_oracle_answers_every_question(options):
    world = scene_questions.World(**options)
    data = world.sample(400, 5)
    assert torch.equal(world.oracle(data, "both"), data.target)
    assert world.ceiling("both") == 1


@pytest.mark.parametrize("options", [{}, {"kinds": ("color",), "prior": 0.8}, {"kinds": ("where", "exists")}])
def test_words_alone_reach_their_ceiling_and_no_more(options):
    world = scene_questions.World(side=8, **options)
    data = world.sample(6000, 6)
    found = (world.oracle(data, "question") == data.target).double().mean().item()
    assert found == pytest.approx(world.ceiling("question"), abs=0.025)


def test_the_mask_is_that_of_the_object_asked_about(questions):
    scenes, asked = questions.extra["scenes"], questions.extra["asked"]
    every = masks(scenes, 32)
    for i in range(100):
        if asked[i] < 0:
            assert not questions.extra["mask"][i].any()
        else:
            assert torch.equal(questions.extra["mask"][i], every[i, asked[i]])


def test_questions_alone_do_not_tell_the_answer():
    """A leak probe: the best guess for each text, learned on one half, is no better than chance on the other."""
    data = scene_questions.World(side=8).sample(6000, 1)
    text, target = data.extra["text"], data.target.tolist()
    for number, kind in enumerate(KINDS):
        rows = (data.extra["kind"] == number).nonzero().flatten().tolist()
        half, seen = len(rows) // 2, {}
        for i in rows[:half]:
            seen.setdefault(text[i], []).append(target[i])
        guessed = [max(set(s), key=s.count) == target[i] for i in rows[half:] if (s := seen.get(text[i]))]
        chance = {"where": 1 / 4, "color": 1 / 6, "exists": 1 / 2, "relation": 1 / 2}[kind]
        assert sum(guessed) / len(guessed) < chance + 0.07, kind


@pytest.mark.parametrize(("test_prior", "share"), [("same", 0.8), ("balanced", 1 / 6), ("inverted", 0.0)])
def test_the_favourite_color_is_as_frequent_as_the_dial_says(test_prior, share):
    world = scene_questions.World(kinds=("color",), side=8, prior=0.8, test_prior=test_prior)
    data = world.sample(3000, 2)
    favourite = data.target - ANSWERS.index("red") == data.extra["scenes"].shape[:, 0]
    assert favourite[data.split["train"]].float().mean() == pytest.approx(0.8, abs=0.04)
    assert favourite[data.split["test"]].float().mean() == pytest.approx(share, abs=0.05)


def test_held_out_combinations_occur_in_every_test_scene_and_nowhere_else():
    data = scene_captions.World(side=8).sample(COUNT, 4)
    scenes, hidden = data.extra["scenes"], data.extra["held_out"]
    new = torch.isin(scenes.color * len(SHAPES) + scenes.shape, hidden).any(dim=1)
    assert new[data.split["test"]].all()
    assert not new[torch.cat([data.split["train"], data.split["validation"]])].any()
    train = data.split["train"]
    assert len(scenes.color[train].unique()) == len(COLORS)
    assert len(scenes.shape[train].unique()) == len(SHAPES)
    assert [WORDS[w] for w in data.modalities["caption"][0] if w] == data.extra["text"][0].split()


def test_one_frame_does_not_tell_the_motion_and_two_do():
    data = scene_videos.World(noise=0.0).sample(300, 0)
    video = data.modalities["video"]
    assert video.shape == (300, 8, 3, 32, 32)
    moved = (video[:, -1] - video[:, 0]).abs().amax(dim=1)  # (videos, side, side)
    ink_first = (video[:, 0] - GROUND).abs().amax(dim=1) * (moved > 0.05)
    ink_last = (video[:, -1] - GROUND).abs().amax(dim=1) * (moved > 0.05)
    at = torch.arange(32.0)

    def middle(ink: torch.Tensor) -> torch.Tensor:
        return torch.stack([(ink.sum(2) * at).sum(1), (ink.sum(1) * at).sum(1)], 1) / ink.sum((1, 2))[:, None]

    shift = middle(ink_last) - middle(ink_first)
    wanted = torch.tensor(list(MOTIONS.values()), dtype=torch.float32)[data.target]
    assert ((shift * wanted).sum(dim=1) > 2).all()
    half = torch.bincount(data.target, minlength=4) / len(data)
    assert half.min() > 0.15


@pytest.mark.parametrize("world", [scene_questions.World, scene_captions.World, scene_videos.World, World])
def test_same_seed_same_data_other_seed_other_data(world):
    first, again, other = (world().sample(40, seed) for seed in (1, 1, 2))
    for name, x in first.modalities.items():
        assert torch.equal(x, again.modalities[name])
        assert not torch.equal(x, other.modalities[name])
    assert torch.equal(first.target, again.target)


def test_words():
    assert tokenize(["where is the red circle ?"], 8).tolist()[0][6:] == [0, 0]
    with pytest.raises(ValueError, match="unknown words"):
        tokenize(["where is my car?"], 8)
    with pytest.raises(ValueError, match="longer than 2"):
        tokenize(["is the red"], 2)


@pytest.mark.parametrize("options", [{"kinds": ()}, {"kinds": ("smell",)}, {"prior": 1.5}])
def test_questions_that_can_not_be_asked(options):
    with pytest.raises(ValueError, match="kinds"):
        scene_questions.World(**options)


def test_captions_that_can_not_be_held_out():
    with pytest.raises(ValueError, match="held_out=7"):
        scene_captions.World(held_out=7)


def errors(data, modality, world=None):
    squared = ((world or World()).oracle(data, modality) - data.target).square()
    return squared[:, :2].mean().sqrt().item(), squared[:, 2:].mean().sqrt().item()


@pytest.mark.parametrize("modality", ["video", "sensor", "both"])
def test_the_kalman_filter_reaches_the_ceiling(modality):
    data = World().sample(1500, 0)
    for found, best in zip(errors(data, modality), World().ceiling(modality), strict=True):
        assert found == pytest.approx(best, rel=0.08)


def test_seen_and_felt_is_better_than_either():
    both, video, sensor = (World().ceiling(m) for m in ("both", "video", "sensor"))
    assert both[0] < video[0] < sensor[0]
    assert both[1] < min(video[1], sensor[1])


def test_lost_frames_are_black_and_cost_accuracy():
    world = World(lost=0.5)
    data = world.sample(800, 0)
    read = read_places(data.modalities["video"])[1]
    assert not read[~data.extra["seen"]].any()
    assert read[data.extra["seen"]].float().mean() > 0.998  # the rest has left the view
    assert data.extra["seen"].float().mean() == pytest.approx(0.5, abs=0.03)
    assert errors(data, "video", world)[0] > World().ceiling("video")[0] * 1.1
    assert data.modalities["video"].shape == (800, 20, SIDE, SIDE)
