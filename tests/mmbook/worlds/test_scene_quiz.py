"""The quiz: every question has its true answer, the dials do what they say, and words alone tell nothing else."""

from collections import Counter

import pytest
import torch

from mmbook.worlds.scene_quiz import (
    ANSWERS,
    COUNTS,
    KINDS,
    POSSIBLE,
    WORDS,
    World,
    possible,
    tokenize,
    true_answer,
)
from mmbook.worlds.scenes import SHAPES


@pytest.fixture(scope="module")
def quiz():
    return World(side=8).sample(6000, seed=3)


def of_kind(data, kind):
    return (data.extra["kind"] == KINDS.index(kind)).nonzero().flatten().tolist()


def test_the_oracle_reads_each_question_and_agrees(quiz):
    scenes, texts = quiz.extra["scenes"], quiz.extra["text"]
    assert [true_answer(scenes, i, text) for i, text in enumerate(texts)] == [ANSWERS[t] for t in quiz.target]


def test_the_things_of_a_scene_have_four_colors(quiz):
    assert (quiz.extra["scenes"].color.sort(dim=1).values.diff(dim=1) > 0).all()


def test_kinds_take_turns_and_answers_fit_their_kind(quiz):
    assert torch.equal(quiz.extra["kind"], torch.arange(6000) % len(KINDS))
    assert possible(quiz.extra["kind"]).gather(1, quiz.target[:, None]).all()
    assert possible(torch.arange(len(KINDS))).sum(dim=1).tolist() == [len(POSSIBLE[kind]) for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_dial_the_words_tell_nothing(quiz, kind):
    """A leak probe: the best guess for each text, learned on one half, is no better than chance on the other."""
    rows = of_kind(quiz, kind)
    half, seen = len(rows) // 2, {}
    for i in rows[:half]:
        seen.setdefault(quiz.extra["text"][i], []).append(int(quiz.target[i]))
    guessed = [
        max(set(s), key=s.count) == quiz.target[i] for i in rows[half:] if (s := seen.get(quiz.extra["text"][i]))
    ]
    assert sum(guessed) / len(guessed) < 1 / len(POSSIBLE[kind]) + 0.08


def test_what_an_exists_question_names_is_always_there_in_parts(quiz):
    scenes = quiz.extra["scenes"]
    for i in of_kind(quiz, "exists"):
        color, shape = quiz.extra["text"][i].rstrip(" ?").split()[-2:]
        names = [scenes.name(i, thing) for thing in range(4)]
        assert any(name.startswith(color) for name in names)
        assert any(name.endswith(shape) for name in names)


def test_counts_are_equally_frequent_and_comparisons_never_a_draw(quiz):
    counts = Counter(ANSWERS[quiz.target[i]] for i in of_kind(quiz, "count"))
    assert set(counts) == set(COUNTS)
    assert min(counts.values()) > 200
    shape = quiz.extra["scenes"].shape
    for i in of_kind(quiz, "compare"):
        words = quiz.extra["text"][i].split()
        one, other = (("circles", "squares", "triangles", "crosses").index(words[k]) for k in (3, 5))
        assert (shape[i] == one).sum() != (shape[i] == other).sum()


@pytest.mark.parametrize(("favourite", "yes"), [(0.8, 0.8), (0.0, 0.2), (1.0, 1.0)])
def test_the_dials_set_how_often_the_usual_answer_is_right(favourite, yes):
    data = World(kinds=("exists", "color"), favourite=favourite, yes=yes, side=8).sample(4000, 1)
    said = [ANSWERS[t] for t in data.target]
    assert sum(said[i] == "yes" for i in of_kind(data, "exists")) / 2000 == pytest.approx(yes, abs=0.03)
    usual = dict(zip(SHAPES, ("red", "green", "blue", "yellow"), strict=True))
    hits = [said[i] == usual[data.extra["text"][i].split()[-2]] for i in of_kind(data, "color")]
    assert sum(hits) / 2000 == pytest.approx(favourite, abs=0.03)


def test_a_question_in_numbers_reads_as_written():
    assert [WORDS[w] for w in tokenize(["is there a red circle ?"])[0] if w] == [
        "is",
        "there",
        "a",
        "red",
        "circle",
        "?",
    ]
    with pytest.raises(KeyError, match="banana"):
        tokenize(["is there a banana ?"])


def test_a_seed_makes_the_same_quiz_and_another_one_another():
    first, again, other = (World(side=8).sample(60, seed) for seed in (5, 5, 6))
    assert torch.equal(first.modalities["image"], again.modalities["image"])
    assert first.extra["text"] == again.extra["text"] != other.extra["text"]


@pytest.mark.parametrize("options", [{"kinds": ()}, {"kinds": ("why",)}, {"favourite": 1.2}, {"yes": -0.1}])
def test_dials_that_mean_nothing_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        World(**options)
