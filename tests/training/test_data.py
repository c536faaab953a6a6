"""All sources together, and what keeps training and held-out sentences apart."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.errors import InputError
from emotion_udf.probes import neutral_sentences
from emotion_udf.settings.labelled import DataSettings
from emotion_udf.training.data import Corpus, Overlaps, bare, read_corpus, read_extra_sentences
from emotion_udf.training.labels import NEUTRAL, LabelledTexts, label_number
from emotion_udf.training.probes import canary
from tests.helpers.training import write_lines

NONE = Overlaps(0, 0, 0, 0, 0)


def write(folder: Path, **splits: str) -> None:
    """Write splits, each as `text;label` lines in one string."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in splits.items():
        (folder / f"{name}.txt").write_text(lines.replace(" ", "\n") + "\n", encoding="utf-8")


def corpus_of(folder: Path | str) -> Corpus:
    return read_corpus(DataSettings(source=str(folder)))


def refusal(settings: DataSettings) -> str:
    with pytest.raises(InputError) as caught:
        read_corpus(settings)
    return str(caught.value)


# One data set


def test_sentences_of_the_held_out_splits_are_left_out_of_training(tmp_path: Path) -> None:
    write(tmp_path, train="a;joy b;joy b;fear c;love d;fear", val="b;joy", test="c;anger x;joy")
    found = corpus_of(tmp_path)
    assert found.train == LabelledTexts(["a", "d"], [1, 4])
    (source,) = found.sources
    assert source.splits["validation"] == LabelledTexts(["b"], [1])
    assert source.splits["test"] == LabelledTexts(["c", "x"], [3, 1])
    assert found.overlaps == Overlaps(leaked=3, leaked_with_another_label=2, repeated=0, conflicting=1, held_out=0)


@pytest.mark.parametrize(
    ("train", "val", "test", "overlaps"),
    [
        ("a;joy a;joy a;joy b;joy b;fear b;love c;joy c;joy c;fear", "x;joy", "y;joy", Overlaps(0, 0, 3, 2, 0)),
        ("a;joy b;fear", "x;joy x;joy y;joy", "x;fear x;joy z;joy", Overlaps(0, 0, 0, 0, 1)),
        ("a;joy b;fear x;joy x;fear x;love", "x;joy", "x;fear", Overlaps(3, 1, 0, 1, 1)),
        ("A!;joy b;fear c;joy", "a...;joy", "d;joy", Overlaps(1, 0, 0, 0, 0)),
    ],
)
def test_overlaps_are_counted(tmp_path: Path, train: str, val: str, test: str, overlaps: Overlaps) -> None:
    write(tmp_path, train=train, val=val, test=test)
    found = corpus_of(tmp_path)
    assert found.overlaps == overlaps
    assert len(found.train) == len(train.split()) - overlaps.leaked


SHORT = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 5)), min_size=1, max_size=12)


@given(SHORT, SHORT, SHORT)
def test_no_training_sentence_is_held_out_whatever_the_splits(
    tmp_path_factory: pytest.TempPathFactory,
    train: list[tuple[str, int]],
    validation: list[tuple[str, int]],
    test: list[tuple[str, int]],
) -> None:
    folder = tmp_path_factory.mktemp("splits")
    train = [*train, ("sad", 0), ("glad", 1)]  # two that never leak, of two emotions
    for name, rows in (("train", train), ("val", validation), ("test", test)):
        write_lines(folder / f"{name}.txt", LabelledTexts([text for text, _ in rows], [label for _, label in rows]))
    found = corpus_of(folder)
    held_out = {text for text, _ in [*validation, *test]}
    assert list(zip(found.train.texts, found.train.labels, strict=True)) == [r for r in train if r[0] not in held_out]
    assert found.overlaps.leaked == len(train) - len(found.train)
    assert found.overlaps.leaked_with_another_label <= found.overlaps.leaked
    assert found.overlaps.repeated == len(train) - len(set(train))
    assert found.overlaps.held_out == len({text for text, _ in validation} & {text for text, _ in test})


@pytest.mark.parametrize(
    ("splits", "facts"),
    [
        ({"train": "a;joy b;fear", "val": "c;joy"}, "splits train, validation, test in {}, found no test"),
        ({"val": "c;joy"}, "found no train, test"),
        ({"train": "a;joy b;joy x;fear", "val": "x;fear", "test": "y;love"}, "in {}, found only joy"),
        ({"train": "a;joy", "val": "a;joy", "test": "a;joy"}, "found none that is not in validation or test"),
        ({"train": "a;joy b;fear", "val": "c;neutral", "test": "d;joy"}, "to validate on in {}, found none"),
    ],
)
def test_too_little_is_refused(tmp_path: Path, splits: dict[str, str], facts: str) -> None:
    write(tmp_path, **splits)
    assert facts.format(tmp_path) in refusal(DataSettings(source=str(tmp_path)))


# Several sources


def several(root: Path, **settings: object) -> DataSettings:
    """Two sources: all splits of one, and a sentiment of which every second row is held out."""
    write(root / "first", train="a;joy b;fear x;anger", val="c;joy", test="d;love")
    (root / "films.tsv").write_text("x!\t1\ny\t0\nz\t1\nB\t0\n", encoding="utf-8")
    films = {
        "name": "films",
        "path": ".",
        "format": "tab",
        "label_names": ["bad", "good"],
        "labels": {"good": ["joy", "love"], "bad": ["anger"]},
        "splits": {"train": {"file": "films.tsv", "rows": "even"}, "validation": {"file": "films.tsv", "rows": "odd"}},
        "per_epoch": 2.5,
    }
    sources = [{"name": "first", "path": "first", "teacher_weight": 0.5}, films]
    return DataSettings.model_validate({"root": str(root), "sources": sources} | settings)


def test_what_one_source_holds_out_no_other_trains_on(tmp_path: Path) -> None:
    found = read_corpus(several(tmp_path))
    assert found.train == LabelledTexts(["a", "b", "y", "B"], [1, 4, 3, 3])  # x is held out with the films
    assert found.held_out("test") == {"first": LabelledTexts(["d"], [2])}
    positive = label_number([1, 2])
    assert found.held_out("validation") == {
        "first": LabelledTexts(["c"], [1]),
        "films": LabelledTexts(["x!", "z"], [positive, positive]),
    }


def test_settings_are_known_of_each_sentence(tmp_path: Path) -> None:
    found = read_corpus(several(tmp_path), extra_sentences=3)
    extra = [3.0] * len(found.sources[-1].train)
    assert found.per_sentence("per_epoch").tolist() == [1, 1, 2.5, 2.5, *extra]
    weights = found.per_sentence("teacher_weight")
    assert weights[:2].tolist() == [0.5, 0.5]
    assert np.isnan(weights[2:4]).all()
    assert (weights[4:] == 0).all()


def test_sources_may_be_chosen_and_shown_more_often(tmp_path: Path) -> None:
    chosen = read_corpus(several(tmp_path, only=["first"], per_epoch={"first": 4.0}))
    assert [source.name for source in chosen.sources] == ["first"]
    assert chosen.per_sentence("per_epoch").tolist() == [4, 4, 4]  # x is held out no more


def test_a_choice_keeps_what_is_held_out(tmp_path: Path) -> None:
    found = read_corpus(several(tmp_path))
    fewer = found.training_on(np.array([False, True, True, False]))
    assert fewer.train == LabelledTexts(["b", "y"], [4, 3])
    assert fewer.held_out("validation") == found.held_out("validation")
    louder = found.map_texts(str.upper)
    assert louder.train.texts == ["A", "B", "Y", "B"]
    assert louder.held_out("test")["first"].texts == ["D"]


@pytest.mark.parametrize(
    ("text", "words"), [("So, HAPPY!!", "so happy"), ("😱", "😱"), ("it's  fine.", "it s fine"), ("...", "...")]
)
def test_copies_are_told_by_their_words(text: str, words: str) -> None:
    assert bare(text) == words


# Extra sentences


def test_extra_sentences_are_of_every_emotion_and_of_none() -> None:
    own = read_extra_sentences()
    assert set(own.labels) == {*range(6), NEUTRAL}
    assert len(set(own.texts)) == len(own)
    assert all(own.labels.count(label) >= 20 for label in range(7))
    assert not {*map(bare, own.texts)} & {*map(bare, canary().texts), *map(bare, neutral_sentences())}


# The real data


def test_no_training_sentence_of_the_real_data_is_held_out(data: Path) -> None:
    found = corpus_of(data / "emotion")
    (source,) = found.sources
    held_out = {*source.splits["validation"].texts, *source.splits["test"].texts}
    assert not {*found.train.texts} & held_out
    assert {name: len(split) for name, split in source.splits.items()} == {
        "train": 15_984, "validation": 2_000, "test": 2_000,
    }  # fmt: skip
    assert found.overlaps == Overlaps(leaked=16, leaked_with_another_label=16, repeated=1, conflicting=30, held_out=3)
    assert not {*read_extra_sentences().texts} & held_out


def test_the_sources_of_the_bundled_recipe_are_read_as_they_are_described(data: Path) -> None:
    settings = DataSettings(root=str(data), sources_file="conf/sources.toml")
    found = read_corpus(settings)
    validation = found.held_out("validation")
    counts = {name: (len(v.with_emotion), len(v.neutral), len(v.partial)) for name, v in validation.items()}
    assert counts["GoEmotions"] == (1_314, 1_592, 0)
    assert counts["TweetEval emotion"][0] == 346
    assert counts["film reviews"] == (0, 0, 500)
    assert len(found.train) > 100_000
