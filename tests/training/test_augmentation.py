"""Plain sentences rewritten as people type: what each kind changes, and what none of them may."""

import html
import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.emotions import EMOTIONS
from emotion_udf.training.augmentation import REWRITES, Rewrite, rewrite
from emotion_udf.training.labels import NEUTRAL
from emotion_udf.training.message_tokenizer import EMOJI, make_message_tokenizer
from tests.helpers.training import seeded

LABELS = range(len(EMOTIONS) + 1)  # the last is NEUTRAL
WORD = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12)
SENTENCE = st.lists(WORD, min_size=1, max_size=20).map(" ".join)
ANY_TEXT = st.text(min_size=1, max_size=30).filter(str.strip)
LABEL = st.sampled_from(LABELS)
SEED = st.integers(0, 10_000)
SEEDS = range(60)
READ_AS = [(0, "sad"), (1, "happy"), (2, "love"), (3, "angry"), (4, "scared"), (5, "surprised")]
PLAIN = "im so glad that you didnt leave and my dog feels wonderful again today"

every_kind = pytest.mark.parametrize("kind", [*REWRITES.values(), rewrite], ids=[*REWRITES, "rewrite"])


def rewritten(name: str, text: str = PLAIN, label: int = 1) -> list[str]:
    """What a kind makes of a text with many seeds."""
    return [REWRITES[name](text, label, seeded(seed)) for seed in SEEDS]


# Every kind


@every_kind
@settings(max_examples=40)
@given(text=st.one_of(SENTENCE, ANY_TEXT), label=LABEL, seed=SEED)
def test_a_text_stays_a_text(kind: Rewrite, text: str, label: int, seed: int) -> None:
    assert kind(text, label, seeded(seed)).strip()


@every_kind
@settings(max_examples=40)
@given(text=SENTENCE, label=LABEL, seed=SEED)
def test_the_same_seed_gives_the_same_text(kind: Rewrite, text: str, label: int, seed: int) -> None:
    first, second = (kind(text, label, seeded(seed)) for _ in range(2))
    assert first == second


@every_kind
def test_chance_has_a_say(kind: Rewrite) -> None:
    assert len({kind(PLAIN, 1, seeded(seed)) for seed in SEEDS}) > 2


@every_kind
def test_short_and_odd_texts_are_rewritten_too(kind: Rewrite) -> None:
    odd = ["a", "ok", "joy", "i i i i", "dont", "-", "...", "&", "'", "word\u2003word"]
    rng = seeded(0)
    assert all(kind(text, label, rng).strip() for text in odd for label in LABELS for _ in range(20))


# Each kind


def test_capitals_are_of_three_kinds() -> None:
    assert {*rewritten("capitals", "so glad")} == {"SO GLAD", "So Glad", "So glad"}


@settings(max_examples=40)
@given(text=SENTENCE, seed=SEED)
def test_punctuation_leaves_the_words(text: str, seed: int) -> None:
    typed = REWRITES["punctuation"](text, 1, seeded(seed))
    assert re.findall("[a-z]+", typed) == text.split()
    assert typed[-1] in ".!?"


@settings(max_examples=40)
@given(text=SENTENCE, seed=SEED)
@pytest.mark.parametrize(("kind", "mark"), [("names", r"@\w+"), ("links", r"(http|www)\S+")])
def test_a_name_or_link_stands_before_or_after(kind: str, mark: str, text: str, seed: int) -> None:
    typed = REWRITES[kind](text, 1, seeded(seed))
    assert re.fullmatch(f"{mark} {text}|{text} {mark}", typed)


@settings(max_examples=40)
@given(text=SENTENCE, seed=SEED)
def test_hashtags_mark_a_word_and_follow_the_text(text: str, seed: int) -> None:
    words = REWRITES["hashtags"](text, 1, seeded(seed)).split()
    count = len(text.split())
    assert [word.lstrip("#") for word in words[:count]] == text.split()
    assert sum(word.startswith("#") for word in words[:count]) == 1
    assert all(word.startswith("#") for word in words[count:])
    assert len(words) <= count + 2


@pytest.mark.parametrize(("label", "word"), READ_AS)
def test_emoji_are_those_of_the_emotion(label: int, word: str) -> None:
    added = [text.removeprefix(PLAIN).strip() for text in rewritten("emoji", label=label)]
    assert all(1 <= len(emoji) <= 3 and {*emoji} <= {*EMOJI[word]} for emoji in added)
    assert any(text[len(PLAIN)] == " " for text in rewritten("emoji", label=label))
    assert any(text[len(PLAIN)] != " " for text in rewritten("emoji", label=label))


def test_emoji_without_a_feeling_are_read_as_no_emotion() -> None:
    added = {emoji for text in rewritten("emoji", label=NEUTRAL) for emoji in text.removeprefix(PLAIN).strip()}
    assert added
    assert not added & {*"".join(EMOJI[word] for _, word in READ_AS)}


@pytest.mark.parametrize(
    ("label", "marks"), [(0, {":(", ":-(", ":'("}), (1, {":)", ":-)", ":D"}), (2, {"<3", "&lt;3", "<3<3"})]
)
def test_emoticons_are_those_of_the_emotion(label: int, marks: set[str]) -> None:
    assert {text.removeprefix(f"{PLAIN} ") for text in rewritten("emoticons", label=label)} == marks


@pytest.mark.parametrize("label", [3, 4, 5, NEUTRAL])
def test_what_has_no_emoticon_stays(label: int) -> None:
    assert {*rewritten("emoticons", label=label)} == {PLAIN}


def test_entities_are_those_of_what_was_there() -> None:
    for text in rewritten("entities"):
        assert "&amp;" in text
        assert text.count("&quot;") == 2
        read = html.unescape(text).replace("\u00a0", " ").replace('"', "").removesuffix(" >>").strip()
        assert read == PLAIN.replace(" and ", " & ")


def test_apostrophes_are_typed_in_three_ways() -> None:
    ways = {*rewritten("apostrophes", "im sure you dont know")}
    assert ways == {f"i{mark}m sure you don{mark}t know" for mark in ("'", "’", "&#39;")}


@settings(max_examples=40)
@given(text=SENTENCE, seed=SEED)
def test_an_elongation_draws_out_one_vowel(text: str, seed: int) -> None:
    typed = REWRITES["elongations"](text, 1, seeded(seed))
    changed = [(old, new) for old, new in zip(text.split(), typed.split(), strict=True) if old != new]
    assert len(changed) <= 1
    for old, new in changed:
        assert 2 <= len(new) - len(old) <= 4
        assert re.sub(r"([aeiouy])\1+", r"\1", new) == re.sub(r"([aeiouy])\1+", r"\1", old)


def test_a_long_word_is_drawn_out_rather_than_a_short_one() -> None:
    typed = rewritten("elongations", "i am so very happy about my wonderful garden")
    assert all(text.startswith("i am so ") for text in typed)


@settings(max_examples=40)
@given(text=SENTENCE, seed=SEED)
def test_a_typo_changes_few_words_and_only_longer_ones(text: str, seed: int) -> None:
    typed = REWRITES["typos"](text, 1, seeded(seed))
    changed = [(old, new) for old, new in zip(text.split(), typed.split(), strict=True) if old != new]
    assert len(changed) <= max(1, len(text.split()) // 8)
    for old, new in changed:
        assert len(old) >= 4
        assert abs(len(new) - len(old)) <= 1
        assert new[-1] == old[-1]


# Several at once


def test_one_to_three_kinds_are_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    def trace(name: str) -> Rewrite:
        return lambda text, _label, _dice: f"{text} {name}"

    for name in REWRITES:
        monkeypatch.setitem(REWRITES, name, trace(name))
    traces = [rewrite("text", 1, seeded(seed)).split()[1:] for seed in range(500)]
    assert {len(names) for names in traces} == {1, 2, 3}
    assert all(len({*names}) == len(names) for names in traces)
    assert {name for names in traces for name in names} == {*REWRITES}


def test_the_label_and_the_dice_reach_every_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def roll(text: str, label: int, rng: random.Random) -> str:
        return f"{text} {label}:{rng.random()}"

    for name in REWRITES:
        monkeypatch.setitem(REWRITES, name, roll)
    rolls = [rewrite("text", 4, seeded(seed)).split()[1:] for seed in range(50)]
    assert all(roll.startswith("4:") for several in rolls for roll in several)
    assert len({roll for several in rolls for roll in several}) == sum(map(len, rolls))


# What the tokenizer's rules mend


@pytest.fixture(scope="module")
def read(tokenizer_json: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[int]]:
    """Read a text with the rules; an emoji counts as the word that it begins as."""
    file = tmp_path_factory.mktemp("rules") / "tokenizer.json"
    file.write_text(make_message_tokenizer(tokenizer_json, True), encoding="utf-8")
    tokenizer = MessageTokenizer(file, 512)
    ids = json.loads(file.read_text(encoding="utf-8"))["model"]["vocab"]
    word_of = {ids[one]: ids[word] for word, emoji in EMOJI.items() for one in emoji}
    return lambda text: [word_of.get(number, number) for number in tokenizer.encode([text]).token_ids[0]]


@pytest.mark.parametrize("kind", ["capitals", "punctuation", "names", "links", "apostrophes"])
@settings(max_examples=40)
@given(text=SENTENCE, seed=SEED)
def test_what_the_rules_mend_is_read_as_the_plain_sentence(
    read: Callable[[str], list[int]], kind: str, text: str, seed: int
) -> None:
    assert read(REWRITES[kind](text, 1, seeded(seed))) == read(text)


@pytest.mark.parametrize("kind", ["emoji", "emoticons"])
@pytest.mark.parametrize(("label", "word"), [(0, "sad"), (1, "happy"), (2, "love")])
def test_signs_of_an_emotion_are_read_as_its_word(
    read: Callable[[str], list[int]], kind: str, label: int, word: str
) -> None:
    readings = [read(f"{PLAIN}{f' {word}' * count}") for count in (1, 2, 3)]
    assert all(read(text) in readings for text in rewritten(kind, label=label))
