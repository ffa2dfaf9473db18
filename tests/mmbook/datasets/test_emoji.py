"""The emoji data: what the card says, leak-free splits, and pairs that betray nothing alone."""

import importlib
import re
import shutil
import time
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbook.datasets import store
from mmbook.datasets.digits import load_digits
from mmbook.datasets.emoji import STYLES, _derange, load_emoji, matching_pairs
from mmbook.datasets.reviews import load_reviews
from mmbook.datasets.store import DamagedDataError
from mmbook.datasets.voices import load_speech, load_voices


@pytest.fixture(scope="module")
def emoji():
    return load_emoji()


def test_size_and_form(emoji):
    assert 1300 <= len(emoji) <= 1500
    assert tuple(emoji.images) == STYLES
    for pictures in emoji.images.values():
        assert pictures.shape == (len(emoji), 3, 64, 64)
        assert pictures.dtype == torch.uint8
    assert len(set(emoji.labels)) == len(emoji)
    assert len(set(emoji.codes)) == len(emoji)
    assert emoji.card["size"]["concepts"] == len(emoji)


def test_every_picture_shows_something_and_styles_differ(emoji):
    for pictures in emoji.images.values():
        assert (pictures.float().std(dim=(1, 2, 3)) > 2).all()  # a white square on white is the faintest
    noto, fluent = emoji.images["noto"].float(), emoji.images["fluent"].float()
    assert ((noto - fluent).abs().mean(dim=(1, 2, 3)) > 1).float().mean() > 0.99


def test_the_four_styles_show_the_same_concept(emoji):
    """Colours of one concept agree more across styles than colours of two concepts."""
    mean = {s: p.float().mean(dim=(2, 3)) for s, p in emoji.images.items()}
    own = (mean["noto"] - mean["twemoji"]).norm(dim=1).mean()
    other = (mean["noto"] - mean["twemoji"].roll(700, dims=0)).norm(dim=1).mean()
    assert own < 0.5 * other


def test_no_flags_no_skin_tones_no_gendered_sequences(emoji):
    for code in emoji.codes:
        points = code.split("-")
        assert not any("1f1e6" <= p <= "1f1ff" for p in points if len(p) == 5)
        assert not any("1f3fb" <= p <= "1f3ff" for p in points if len(p) == 5)
        assert not {"2640", "2642"} & set(points[1:])


def test_near_duplicates_are_one_family(emoji):
    family = dict(zip(emoji.labels, emoji.families, strict=True))
    assert family["one o’clock"] == family["twelve-thirty"]
    assert family["keycap: 1"] == family["keycap: 9"]
    assert family["prince"] == family["princess"]
    assert family["woman dancing"] == family["man dancing"]
    assert family["dog face"] != family["pizza"]


@pytest.mark.parametrize("seed", [0, 1, 99991])
def test_splits_share_no_concept_and_no_family(emoji, seed):
    split = emoji.split_concepts(seed)
    assert sorted(np.concatenate(list(split.values()))) == list(range(len(emoji)))
    families = {k: set(emoji.families[v]) for k, v in split.items()}
    assert not families["train"] & families["test"]
    assert not families["train"] & families["validation"]
    assert not families["validation"] & families["test"]
    assert 300 <= len(split["test"]) <= 300 + Counter(emoji.families).most_common(1)[0][1]


def test_splits_follow_the_seed(emoji):
    a, b, c = (emoji.split_concepts(s)["test"] for s in (4, 4, 5))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_the_four_cells_cross_concept_and_style(emoji):
    split = emoji.split_concepts(0)
    cells = emoji.cells(split, held_out="fluent")
    assert set(cells) == {f"{c} concept, {s} style" for c in ("seen", "unseen") for s in ("seen", "unseen")}
    assert np.array_equal(cells["unseen concept, unseen style"][0], split["test"])
    assert cells["unseen concept, unseen style"][1] == ("fluent",)
    assert "fluent" not in cells["seen concept, seen style"][1]
    with pytest.raises(ValueError, match="noto"):
        emoji.cells(split, held_out="apple")


@pytest.mark.parametrize("level", ["any", "group", "subgroup"])
@pytest.mark.parametrize("seed", [0, 7])
def test_each_modality_alone_says_nothing(emoji, level, seed):
    concepts = emoji.split_concepts(seed)["test"]
    picture, caption, label = matching_pairs(emoji, concepts, seed, level)
    for column in (picture, caption):
        right, wrong = Counter(column[label == 1].tolist()), Counter(column[label == 0].tolist())
        assert right == wrong
        assert set(right.values()) == {1}
    wrong = label == 0
    assert (picture[~wrong] == caption[~wrong]).all()
    assert (emoji.families[picture[wrong]] != emoji.families[caption[wrong]]).all()
    names = {"any": ["all"] * len(emoji), "group": emoji.groups, "subgroup": emoji.subgroups}[level]
    assert all(names[p] == names[c] for p, c in zip(picture[wrong], caption[wrong], strict=True))


def test_harder_levels_lose_few_concepts(emoji):
    concepts = emoji.split_concepts(0)["test"]
    assert len(matching_pairs(emoji, concepts, 0, "any")[2]) == 2 * len(concepts)
    assert len(matching_pairs(emoji, concepts, 0, "subgroup")[2]) > len(concepts)


def test_faulty_requests_are_named(emoji):
    with pytest.raises(ValueError, match="subgroup"):
        matching_pairs(emoji, [1, 2], 0, "color")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no concept"):
        matching_pairs(emoji, [1], 0)
    with pytest.raises(ValueError, match="no training"):
        emoji.split_concepts(0, test=5000)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=30), st.integers(0, 2**31))
def test_derangement_pairs_across_families_one_to_one(families, seed):
    families = np.array(families, dtype=np.int64)
    kept, partner = _derange(np.arange(len(families)), families, np.random.default_rng(seed))
    assert sorted(kept) == sorted(partner)
    assert len(set(kept)) == len(kept)
    assert (families[kept] != families[partner]).all()
    sizes = Counter(families.tolist()).values()
    surplus = max(0, 2 * max(sizes, default=0) - len(families))
    assert len(kept) == len(families) - surplus  # as many as any pairing can keep


def test_a_damaged_file_fails_by_name(monkeypatch, tmp_path):
    shutil.copytree(store.DATASETS / "emoji", tmp_path / "emoji")
    monkeypatch.setattr(store, "DATASETS", tmp_path)
    path = tmp_path / "emoji/files/fluent.png"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedDataError, match=r"fluent\.png.*prepare_data\.py emoji"):
        load_emoji()
    path.unlink()
    with pytest.raises(DamagedDataError, match=r"fluent\.png.*missing"):
        load_emoji()


def test_files_are_small_and_all_listed():
    for folder in store.DATASETS.glob("*/files"):
        assert {path.name for path in folder.iterdir()} == set(store._checksums(folder.parent)), folder
    assert sum(p.stat().st_size for p in (store.DATASETS / "emoji/files").iterdir()) <= 8 * 2**20


def test_cards_count_what_is_there(emoji):
    """Cards are written by hand; their numbers are not."""
    size = store.load_card("emoji")["size"]
    assert size["concepts"] == len(emoji)
    assert size["styles"] == len(emoji.images)
    assert size["families"] == len(set(emoji.families))
    assert size["groups"] == len(set(emoji.groups))
    assert size["subgroups"] == len(set(emoji.subgroups))
    reviews = load_reviews()
    assert store.load_card("reviews")["size"] == {"reviews": len(reviews), "garments": len(reviews.unit.unique())}
    assert store.load_card("digits")["size"] == {"pictures": len(load_digits()), "classes": 10}
    voices, speech = load_voices(), load_speech()
    size = store.load_card("voices")["size"]
    assert size["synthetic clips"] == len(voices)
    assert size["synthetic speakers"] == len(voices.unit.unique())
    assert size["real clips"] == len(speech)
    kinds = Counter(speech.extra["kind"])
    assert {name: count for name, count in size.items() if name.startswith("real ") and name != "real clips"} == {
        f"real {kind}s": count for kind, count in kinds.items()
    }


def test_every_card_says_how_to_load_it():
    for card in store.all_cards():
        module, names = re.fullmatch(r"from ([\w.]+) import (.+)", card["load"]).groups()
        assert all(hasattr(importlib.import_module(module), name) for name in names.split(", ")), card["name"]


def test_loading_is_quick():
    start = time.perf_counter()
    load_emoji()
    assert time.perf_counter() - start < 5
