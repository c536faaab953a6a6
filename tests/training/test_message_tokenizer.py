"""What a message reads as: the rules of the tokenizer, in this project and in stock transformers."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from emoji import EMOJI_DATA, STATUS
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.classifier.weights import load_distilbert
from emotion_udf.errors import UsageError
from emotion_udf.training.data import read_text_file
from emotion_udf.training.export import export
from emotion_udf.training.initialise import initialise
from emotion_udf.training.message_tokenizer import (
    EMOJI,
    carry_words_over,
    copy_words_to_emoji,
    make_message_tokenizer,
)
from tests.helpers.models import tiny_bert

LONGEST = 64
READING = [(emoji, word) for word, all_of_it in EMOJI.items() for emoji in all_of_it]
FLAG_LETTERS = [chr(number) for number in range(ord("🇦"), ord("🇿") + 1)]
KEYCAP = "\u20e3"
IN_BERT = {*"▪♣©♦♥↔®♠™"}
"""Emoji that BERT's own vocabulary has."""


@pytest.fixture(scope="module")
def base(tokenizer_json: Path) -> MessageTokenizer:
    return MessageTokenizer(tokenizer_json, LONGEST)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tokenizer_json: Path) -> Path:
    """A model folder with the rules, as training leaves it."""
    encoder, folder = tmp_path_factory.mktemp("encoder"), tmp_path_factory.mktemp("model")
    tiny_bert().save_pretrained(encoder)
    start = initialise(encoder, seed=0)
    export(start.network, start.config, {}, make_message_tokenizer(tokenizer_json, True), folder)
    return folder


@pytest.fixture(scope="module")
def with_rules(folder: Path) -> MessageTokenizer:
    return MessageTokenizer(folder / "tokenizer.json", LONGEST)


@pytest.fixture(scope="module")
def stock(folder: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def read_alike(folder: Path, base: MessageTokenizer, with_rules: MessageTokenizer) -> Callable[[str, str], bool]:
    """Tell whether a message reads, by the rules, as plain words do without them; an emoji counts as its word."""
    ids = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    word_of = {ids[emoji]: ids[word] for emoji, word in READING}

    def alike(message: str, words: str) -> bool:
        (found,), (expected,) = with_rules.encode([message]).token_ids, base.encode([words]).token_ids
        return [word_of.get(number, number) for number in found] == expected

    return alike


ReadAlike = Callable[[str, str], bool]


# Each rule


@pytest.mark.parametrize(
    ("face", "word"),
    [
        *(
            (face, "happy")
            for face in (":)", ";)", ":-)", ";-)", ":o)", ":')", ":)))", "=)", ":D", ":-D", "=D", ":DDD")
        ),
        *((face, "sad") for face in (":(", ":-(", ":'(", ":((", "=(")),
    ],
)
def test_a_face_is_read_as_a_word(read_alike: ReadAlike, face: str, word: str) -> None:
    assert read_alike(f"back home {face}", f"back home {word}")
    assert read_alike(f"home {face} again", f"home {word} again")
    assert read_alike(face, word)


@pytest.mark.parametrize(("face", "word"), [(":)", "happy"), (";-)", "happy"), (":(", "sad"), (":'(", "sad")])
def test_a_face_may_touch_the_words_beside_it(read_alike: ReadAlike, face: str, word: str) -> None:
    assert read_alike(f"home{face}again", f"home {word} again")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Subject:Delivery", "subject delivery"),
        ("f(x)=(y) and a=(b)", "f x y and a b"),
        ("key=[1]", "key 1"),
        ("at 3:00", "at 3 00"),
        ("R&D; ok", "r d ok"),
        ("a&b;c", "a b c"),
    ],
)
def test_what_only_looks_like_a_face_or_an_entity_stays(read_alike: ReadAlike, message: str, words: str) -> None:
    assert read_alike(message, words)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("<3", "love"),
        ("my dog <3", "my dog love"),
        ("you&lt;3me", "you love me"),
        ("<3<3 x", "love love x"),
        ("<333", "love"),
    ],
)
def test_a_heart_of_two_signs_is_read_as_love(read_alike: ReadAlike, message: str, words: str) -> None:
    assert read_alike(message, words)


@pytest.mark.parametrize("mark", ["'", "’", "`", "&#39;", "&#039;", "&apos;", "&rsquo;"])
def test_an_apostrophe_inside_a_word_goes(read_alike: ReadAlike, mark: str) -> None:
    assert read_alike(f"I{mark}m sure you don{mark}t", "im sure you dont")


@pytest.mark.parametrize("message", ["'fine' it is", "‘fine’ it is", "fine' it 'is", "'fine it is'", "&#39;fine it is"])
def test_quotation_marks_split_words_and_go(read_alike: ReadAlike, message: str) -> None:
    assert read_alike(message, "fine it is")


@pytest.mark.parametrize(
    "link", ["http://t.co/a8Xk2", "https://www.example.com/p?id=3&x=1#top", "www.example.org/news", "http://x"]
)
def test_a_link_goes(read_alike: ReadAlike, link: str) -> None:
    assert read_alike(f"so glad {link}", "so glad")
    assert read_alike(f"{link} so glad", "so glad")
    assert read_alike(link, "")


@pytest.mark.parametrize("name", ["@anna", "@the_real_bob", "@xX99", "@Jürgen"])
def test_a_name_goes(read_alike: ReadAlike, name: str) -> None:
    assert read_alike(f"{name} so glad", "so glad")
    assert read_alike(f"so {name}: glad", "so glad")


@pytest.mark.parametrize("entity", ["&amp;", "&quot;", "&nbsp;", "&gt;&gt;", "&#8230;", "&#xA0;", "&lt;"])
def test_an_entity_goes(read_alike: ReadAlike, entity: str) -> None:
    assert read_alike(f"so {entity} glad", "so glad")
    assert read_alike(f"so{entity}glad", "so glad")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("So glad!!!", "so glad"),
        ("well-known, isn-t it?!", "well known isn t it"),
        ("snake_case #monday #nofilter", "snake case monday nofilter"),
        ("50% of $1,000.50", "50 of 1 000 50"),
        ("... ??? !!! ~ ^ | § ¶", ""),
        ("Crème brûlée", "creme brulee"),
        ("tab\there\nand\u00a0there", "tab here and there"),
        ("", ""),
    ],
)
def test_words_are_read_without_what_stands_between_them(read_alike: ReadAlike, message: str, words: str) -> None:
    assert read_alike(message, words)


def test_all_rules_hold_together(read_alike: ReadAlike) -> None:
    message = "@acme_help I don&#39;t get it :( &quot;why&quot;??? 😡😡 http://t.co/x &lt;3"
    assert read_alike(message, "i dont get it sad why angry angry love")


def test_special_tokens_that_people_type_are_words(read_alike: ReadAlike) -> None:
    assert read_alike("[CLS] so glad [SEP] [MASK][PAD] [UNK]", "cls so glad sep mask pad unk")


# Emoji


def test_an_emoji_stands_for_one_word() -> None:
    emoji = "".join(EMOJI.values())
    assert len(set(emoji)) == len(emoji)


def test_an_emoji_is_read_as_its_word(read_alike: ReadAlike) -> None:
    for emoji, word in READING:
        if emoji in {KEYCAP, *FLAG_LETTERS}:
            continue
        assert read_alike(emoji, word), emoji
        assert read_alike(f"oh {emoji} well", f"oh {word} well"), emoji
        assert read_alike(f"oh{emoji}well", f"oh {word} well"), emoji
        assert read_alike(f"oh{emoji}{emoji}!", f"oh {word} {word}"), emoji


def test_every_emoji_of_the_newest_list_is_read_once(with_rules: MessageTokenizer) -> None:
    newest = {one for one, about in EMOJI_DATA.items() if about["status"] != STATUS["component"]}
    assert len(newest) > 5_000
    assert max(about["E"] for about in EMOJI_DATA.values()) >= 18
    read = with_rules.encode([f"home{one}home" for one in newest]).token_ids
    ((_, home, _),) = with_rules.encode(["home"]).token_ids
    unread = [one for one, ids in zip(newest, read, strict=True) if [*ids[:2], *ids[3:]] != [101, home, home, 102]]
    assert unread == []
    assert 100 not in {ids[2] for ids in read}


def test_only_emoji_of_the_list_have_tokens() -> None:
    listed = {character for one in EMOJI_DATA for character in one}
    assert {emoji for emoji, _ in READING} - listed == {"ⓜ"}  # Ⓜ in lower case


@pytest.mark.parametrize(
    ("joined", "first"),
    [
        ("👩‍👩‍👧‍👦", "👩"),
        ("🤷🏽‍♀️", "🤷"),
        ("👩🏿‍🚒", "👩"),
        ("❤️‍🔥", "❤"),
        ("🏳️‍🌈", "🏳"),
        ("🐈‍⬛", "🐈"),
        ("🫱🏻‍🫲🏿", "🫱"),
    ],
)
def test_of_joined_emoji_the_first_is_read(with_rules: MessageTokenizer, joined: str, first: str) -> None:
    assert with_rules.encode([f"home {joined}home"]).token_ids == with_rules.encode([f"home {first}home"]).token_ids


def test_a_sigh_is_no_surprise(read_alike: ReadAlike) -> None:
    assert read_alike("😮‍💨 so", "breath so")
    assert read_alike("😮💨 so", "surprised breath so")


@pytest.mark.parametrize("flag", ["🇩🇪", "🇺🇸", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏳️", "🏳️‍⚧️", "🏁", "🇩🇪🇫🇷"])
def test_a_flag_is_read_as_a_flag(read_alike: ReadAlike, flag: str) -> None:
    assert read_alike(f"home{flag}home", "home flag home")


@pytest.mark.parametrize(("key", "word"), [("5️⃣", "5"), ("5⃣", "5"), ("#️⃣", "number"), ("*️⃣", "number")])
def test_a_keycap_is_read_as_what_it_says(read_alike: ReadAlike, key: str, word: str) -> None:
    assert read_alike(f"press {key} now", f"press {word} now")


def test_joined_letters_are_no_emoji(read_alike: ReadAlike) -> None:
    assert read_alike("क्\u200dष", "क्ष")


@pytest.mark.parametrize("tone", "🏻🏼🏽🏾🏿")
def test_the_tone_of_skin_is_not_read(read_alike: ReadAlike, tone: str) -> None:
    assert read_alike(f"done 👍{tone}", "done happy")
    assert read_alike(f"👏{tone}👏{tone}done", "happy happy done")


@pytest.mark.parametrize("selector", ["\ufe0f", "\ufe0e"])
@pytest.mark.parametrize(("emoji", "word"), [("❤", "love"), ("☹", "sad"), ("☺", "happy"), ("♥", "love")])
def test_the_variation_of_an_emoji_is_not_read(read_alike: ReadAlike, emoji: str, word: str, selector: str) -> None:
    assert read_alike(f"{emoji}{selector}", word)
    assert read_alike(f"home{emoji}{selector}home", f"home {word} home")


def test_signs_that_are_no_emoji_are_not_read(read_alike: ReadAlike) -> None:
    assert read_alike("★ home ♪ 🏽 ☐ →", "home")


# As transformers reads it

TRICKY = [
    "",
    "@acme_help I don&#39;t get it :( &quot;why&quot;??? 😡😡 http://t.co/x &lt;3",
    "home❤️home 👍🏽👍 ☹️",
    "我今天很高兴 とても嬉しい 행복해 سعيد جدا Привет",
    "null\0bell\x07 zero\u200bwidth\u00a0nbsp\ufeffbom \ufffd",
    "e\u0301 \u0301\u0302 ½ ² Ⅷ ﬁne",
    "[CLS] i feel [SEP] fine [MASK] [UNK] [PAD]",
    "a" * 101,
    "don't " * 100,
]


def test_stock_transformers_reads_the_same(stock: PreTrainedTokenizerBase, with_rules: MessageTokenizer) -> None:
    theirs = [stock(text, truncation=True)["input_ids"] for text in TRICKY]
    assert with_rules.encode(TRICKY).token_ids == theirs
    assert max(map(len, theirs)) == LONGEST


PIECES = st.sampled_from(
    [
        ":)",
        ":-(",
        "<3",
        "&lt;3",
        "&amp;",
        "&#39;",
        "'",
        "’",
        "@a",
        "http://",
        "www.",
        "❤",
        "[SEP]",
        "🇩",
        "\u200d",
        "🥹",
        "\ufe0f",
        "👍",
        "🏽",
        "glad",
    ]
)
MESSAGES = st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=12).map("".join)


@settings(max_examples=100)
@given(MESSAGES)
def test_any_message_is_read_alike_and_with_known_ids(
    stock: PreTrainedTokenizerBase, with_rules: MessageTokenizer, message: str
) -> None:
    (ids,) = with_rules.encode([message]).token_ids
    assert ids == stock(message, truncation=True)["input_ids"]
    assert (ids[0], ids[-1]) == (101, 102)
    assert all(0 <= number < 30522 for number in ids)


def test_transformers_can_be_asked_to_take_special_tokens_as_such(stock: PreTrainedTokenizerBase) -> None:
    assert stock("so [SEP]")["input_ids"] != stock("so [SEP]", split_special_tokens=False)["input_ids"]
    assert stock("so [SEP]", split_special_tokens=False)["input_ids"][2:] == [102, 102]


def test_a_tokenizer_that_transformers_saves_reads_the_same(stock: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    stock.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    words = " ".join([*EMOJI, *"".join(EMOJI.values())])
    assert again(words)["input_ids"] == stock(words)["input_ids"]


def test_a_tokenizer_that_is_copied_reads_the_same(stock: PreTrainedTokenizerBase) -> None:
    words = " ".join([*EMOJI, *"".join(EMOJI.values())])
    assert copy.deepcopy(stock)(words)["input_ids"] == stock(words)["input_ids"]


@pytest.mark.parametrize("message_rules", [False, True])
def test_a_tokenizer_with_rules_may_be_a_base_again(folder: Path, tmp_path: Path, message_rules: bool) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text(make_message_tokenizer(folder / "tokenizer.json", message_rules), encoding="utf-8")
    words = [" ".join([*EMOJI, *"".join(EMOJI.values())])]
    first, again = (MessageTokenizer(json_file, LONGEST) for json_file in (folder / "tokenizer.json", file))
    assert again.encode(words).token_ids == first.encode(words).token_ids


# What stays as it was


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_training_sentences_are_read_as_before(
    base: MessageTokenizer, with_rules: MessageTokenizer, data: Path, part: str
) -> None:
    texts = read_text_file(data / "emotion" / f"{part}.txt").texts
    assert with_rules.encode(texts).token_ids == base.encode(texts).token_ids


@pytest.fixture
def bounded(tokenizer_json: Path, tmp_path: Path) -> Path:
    """A base that cuts and pads, as sentence-transformers' do."""
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    file = tmp_path / "bounded.json"
    tokenizer.save(str(file))
    return file


@pytest.mark.parametrize("message_rules", [False, True])
def test_truncation_and_padding_go(bounded: Path, message_rules: bool) -> None:
    made = json.loads(make_message_tokenizer(bounded, message_rules))
    assert (made["truncation"], made["padding"]) == (None, None)
    tokenizer = Tokenizer.from_str(json.dumps(made))
    assert [len(tokenizer.encode(text).ids) for text in ("fine", "so " * 20)] == [3, 22]


def test_without_the_rules_everything_else_stays(bounded: Path, tokenizer_json: Path) -> None:
    made = json.loads(make_message_tokenizer(bounded, message_rules=False))
    assert made == json.loads(tokenizer_json.read_text(encoding="utf-8"))
    theirs, ours = Tokenizer.from_file(str(tokenizer_json)), Tokenizer.from_str(json.dumps(made))
    assert [ours.encode(text).ids for text in TRICKY] == [theirs.encode(text).ids for text in TRICKY]


def test_the_rules_need_no_new_weights(folder: Path, tokenizer_json: Path) -> None:
    before, after = (
        json.loads(file.read_text(encoding="utf-8"))["model"]["vocab"]
        for file in (tokenizer_json, folder / "tokenizer.json")
    )
    assert max(after.values()) == max(before.values()) == 30521
    assert len(after) == len(before)
    new = after.keys() - before.keys()
    assert new | IN_BERT == set("".join(EMOJI.values()))
    assert all(after[token] == number for token, number in before.items() if token in after)


@pytest.fixture(scope="module")
def before_emoji(tokenizer_json: Path, folder: Path) -> tuple[Tokenizer, set[int]]:
    """The rules over the base's own vocabulary, and the tokens whose places emoji take."""
    rules, base = (json.loads(file.read_text(encoding="utf-8")) for file in (folder / "tokenizer.json", tokenizer_json))
    ids, taken = base["model"]["vocab"], base["model"]["vocab"].keys() - rules["model"]["vocab"].keys()
    rules["model"]["vocab"] = ids
    tokenizer = Tokenizer.from_str(json.dumps(rules))
    tokenizer.encode_special_tokens = True
    return tokenizer, {ids[token] for token in taken}


SIGNS = st.sampled_from(
    ["!", "£", "°", "...", "£100", "¹⁄₂", "×", "（", "。", "一", "三上", "a", "9", "[unused7]", "[", "##"]
)


@settings(max_examples=300)
@given(st.lists(st.one_of(SIGNS, st.text(max_size=4)), max_size=8).map("".join))
def test_no_text_is_read_as_a_token_whose_place_an_emoji_takes(
    before_emoji: tuple[Tokenizer, set[int]], text: str
) -> None:
    tokenizer, taken = before_emoji
    assert len(taken) == len(READING) - len(IN_BERT)
    assert taken.isdisjoint(tokenizer.encode(text).ids)


def test_an_emoji_begins_as_its_word(folder: Path, tokenizer_json: Path) -> None:
    made = make_message_tokenizer(tokenizer_json, True)
    ids = json.loads(made)["model"]["vocab"]
    network = load_distilbert(open_artifact(ArtifactSource(str(folder))).configuration, folder / "model.safetensors")
    before = network.words.weight.clone()
    copy_words_to_emoji(network, made)
    for emoji, word in READING:
        assert torch.equal(network.words.weight[ids[emoji]], before[ids[word]])
    others = sorted(set(range(len(before))) - {ids[emoji] for emoji, _ in READING})
    assert torch.equal(network.words.weight[others], before[others])


@pytest.fixture
def old_rules(tokenizer_json: Path) -> str:
    """A tokenizer that knows four emoji, at other places than the newest rules give them."""
    tokenizer = json.loads(tokenizer_json.read_text(encoding="utf-8"))
    places = dict(zip(["[unused3]", "[unused2]", "[unused50]", "[unused7]"], "😢😀❤🤯", strict=True))
    vocabulary = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {places.get(token, token): number for token, number in vocabulary.items()}
    return json.dumps(tokenizer)


def test_a_trained_network_goes_on_with_new_rules(folder: Path, tokenizer_json: Path, old_rules: str) -> None:
    made = make_message_tokenizer(tokenizer_json, True)
    old, new = (json.loads(tokenizer)["model"]["vocab"] for tokenizer in (old_rules, made))
    network = load_distilbert(open_artifact(ArtifactSource(str(folder))).configuration, folder / "model.safetensors")
    before = network.words.weight.clone()
    carry_words_over(network, old_rules, made)
    assert all(torch.equal(network.words.weight[new[token]], before[old[token]]) for token in new.keys() & old.keys())
    for emoji, word in READING:
        assert torch.equal(network.words.weight[new[emoji]], before[old.get(emoji, old[word])]), emoji


@pytest.mark.parametrize("changed", [{"glad": None}, {"glad": "gladder"}])
def test_a_network_of_another_base_is_refused(folder: Path, tokenizer_json: Path, changed: dict[str, str]) -> None:
    other = json.loads(tokenizer_json.read_text(encoding="utf-8"))
    words = {changed.get(token, token): number for token, number in other["model"]["vocab"].items()}
    other["model"]["vocab"] = {token: number for token, number in words.items() if token}
    network = load_distilbert(open_artifact(ArtifactSource(str(folder))).configuration, folder / "model.safetensors")
    before = network.words.weight.clone()
    with pytest.raises(UsageError, match="make both from one base"):
        carry_words_over(network, json.dumps(other), make_message_tokenizer(tokenizer_json, True))
    assert torch.equal(network.words.weight, before)


def test_the_same_base_gives_the_same_tokenizer(tokenizer_json: Path) -> None:
    assert make_message_tokenizer(tokenizer_json, True) == make_message_tokenizer(tokenizer_json, True)


# Bases that the rules cannot be added to


def refusal(base: Path) -> str:
    with pytest.raises(UsageError) as caught:
        make_message_tokenizer(base, message_rules=True)
    return str(caught.value)


def assert_no_vocabulary(base: Path, words: int) -> None:
    message = refusal(base)
    assert str(base) in message
    assert f"found {words} and " in message
    assert "set base.message_rules = false" in message


@pytest.mark.parametrize("word", ["happy", "surprised"])
def test_a_vocabulary_without_one_of_the_words_is_refused(tokenizer_json: Path, tmp_path: Path, word: str) -> None:
    tokenizer = json.loads(tokenizer_json.read_text(encoding="utf-8"))
    del tokenizer["model"]["vocab"][word]
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(tokenizer), encoding="utf-8")
    assert_no_vocabulary(file, words=len(EMOJI) - 1)
    assert make_message_tokenizer(file, message_rules=False)


def test_a_vocabulary_without_unused_places_is_refused(tokenizer_json: Path, tmp_path: Path) -> None:
    tokenizer = json.loads(tokenizer_json.read_text(encoding="utf-8"))
    vocabulary = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {token: n for token, n in vocabulary.items() if not token.startswith("[unused")}
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(tokenizer), encoding="utf-8")
    assert_no_vocabulary(file, words=len(EMOJI))


VOCABULARY = {word: number for number, word in enumerate(["[UNK]", *EMOJI])}
OTHER_KINDS = [
    models.WordLevel(VOCABULARY),
    models.BPE(VOCABULARY, []),
    models.Unigram([(word, -1.0) for word in VOCABULARY]),
]


@pytest.mark.parametrize("model", OTHER_KINDS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize(
    "normalizer",
    [
        normalizers.Lowercase(),
        None,
    ],
    ids=["normalizer", "no normalizer"],
)
def test_another_kind_of_vocabulary_is_refused(
    tmp_path: Path, model: models.Model, normalizer: normalizers.Normalizer | None
) -> None:
    file = tmp_path / "tokenizer.json"
    tokenizer = Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.save(str(file))
    assert_no_vocabulary(file, words=0)


@pytest.mark.parametrize("content", ["", "{}", "not json"])
@pytest.mark.parametrize("message_rules", [False, True])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path, content: str, message_rules: bool) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text(content)
    with pytest.raises(UsageError):
        make_message_tokenizer(file, message_rules)
