import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from emotion_udf.classifier.artifact import BUNDLED_FOLDER
from emotion_udf.classifier.packing import TokenRows
from emotion_udf.classifier.tokenizer import MessageTokenizer, Tokens

TRICKY = [
    "",
    " ",
    "I FEEL Great TODAY",
    "Crème brûlée, naïve façade, Ångström, ﬁne",
    "so happy 🎉🎉 👩‍👩‍👧‍👦 🇩🇪",
    "我今天很高兴 とても嬉しい 행복해",
    "سعيد جدا Привет",
    "tom &amp; jerry &lt;3 &#39;quoted&#39;",
    "tab\there\nnew line\r\nnull\0bell\x07 zero\u200bwidth\u00a0nbsp\ufeffbom \ufffd",
    "a" * 100,
    "a" * 101,
    "@user http://example.org/a?b=c&d=e #tag!!! ...",
    "[CLS] i feel [SEP] fine [MASK] [UNK] [PAD]",
    "e\u0301 \u0301\u0302 ½ ² Ⅷ",
    "word " * 3000,
    "i feel fine",
]
MOST = 512


@pytest.fixture(scope="module")
def stock() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(BUNDLED_FOLDER)


@pytest.fixture(scope="module")
def ours() -> MessageTokenizer:
    return MessageTokenizer(BUNDLED_FOLDER / "tokenizer.json", MOST)


def encoded_by(stock: PreTrainedTokenizerBase, texts: Sequence[str]) -> Tokens:
    """What transformers makes of the texts one by one."""
    cut = [stock(text, truncation=True, max_length=MOST)["input_ids"] for text in texts]
    whole = [stock.backend_tokenizer.encode(text) for text in texts]
    counts = [len(e.ids) + sum(len(rest.ids) - 2 for rest in e.overflowing) for e in whole]
    unknown = [ids.count(stock.unk_token_id) for ids in cut]
    return Tokens(TokenRows.of(cut), np.array(counts, np.int32), np.array(unknown, np.int32))


def test_ids_and_counts_are_those_of_transformers(stock: PreTrainedTokenizerBase, ours: MessageTokenizer) -> None:
    tokens, theirs = ours.encode(TRICKY), encoded_by(stock, TRICKY)
    assert tokens.token_ids == theirs.token_ids
    np.testing.assert_array_equal(tokens.token_counts, theirs.token_counts)
    np.testing.assert_array_equal(tokens.unknown_counts, theirs.unknown_counts)
    assert tokens.unknown_counts.any()
    assert tokens.token_counts.dtype == tokens.unknown_counts.dtype == np.int32


@settings(max_examples=200)
@given(st.lists(st.text(max_size=60), max_size=4))
def test_any_text_is_tokenised_as_by_transformers(
    stock: PreTrainedTokenizerBase, ours: MessageTokenizer, texts: list[str]
) -> None:
    assert ours.encode(texts).token_ids == [stock(text)["input_ids"] for text in texts]


def test_no_texts_have_no_tokens(ours: MessageTokenizer) -> None:
    none = ours.encode([])
    assert none.token_ids == none.token_counts.tolist() == none.unknown_counts.tolist() == []


def test_an_empty_text_has_its_two_special_tokens(ours: MessageTokenizer) -> None:
    empty = ours.encode([""])
    assert (empty.token_ids, empty.token_counts.tolist(), empty.unknown_counts.tolist()) == ([[101, 102]], [2], [0])


def test_a_word_of_more_than_100_letters_is_unknown(ours: MessageTokenizer) -> None:
    assert ours.encode(["a" * 101]).token_ids == [[101, 100, 102]]
    assert 100 not in ours.encode(["a" * 100]).token_ids[0]


def test_a_long_text_is_cut_but_counted_as_a_whole(ours: MessageTokenizer) -> None:
    tokens = ours.encode(["word " * 3000])
    assert tokens.token_counts.tolist() == [3002]
    (ids,) = tokens.token_ids
    assert (len(ids), ids[0], ids[-1]) == (MOST, 101, 102)


@pytest.mark.parametrize(("words", "kept"), [(509, 511), (510, 512), (511, 512), (512, 512), (1020, 512), (1021, 512)])
def test_a_text_is_cut_only_above_the_limit(ours: MessageTokenizer, words: int, kept: int) -> None:
    tokens = ours.encode(["word " * words])
    assert [len(ids) for ids in tokens.token_ids] == [kept]
    assert tokens.token_counts.tolist() == [words + 2]


def test_texts_are_not_padded_to_each_other(ours: MessageTokenizer) -> None:
    tokens = ours.encode(["fine", "i feel fine", ""])
    assert [len(ids) for ids in tokens.token_ids] == [3, 5, 2]
    assert tokens.token_counts.tolist() == [3, 5, 2]


def test_texts_stay_in_their_order(ours: MessageTokenizer) -> None:
    together = ours.encode(TRICKY).token_ids
    assert together == [ours.encode([text]).token_ids[0] for text in TRICKY]


@settings(max_examples=300)
@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60), max_size=4))
def test_printable_ascii_is_tokenised_as_by_transformers(
    stock: PreTrainedTokenizerBase, ours: MessageTokenizer, texts: list[str]
) -> None:
    assert ours.encode(texts).token_ids == [stock(text)["input_ids"] for text in texts]


@pytest.mark.parametrize("lowercase", [True, False])
def test_a_tokenizer_that_keeps_capitals_reads_ascii_as_it_is(tmp_path: Path, lowercase: bool) -> None:
    described = json.loads((BUNDLED_FOLDER / "tokenizer.json").read_text(encoding="utf-8"))
    described["normalizer"]["normalizers"][-1]["lowercase"] = lowercase
    (tmp_path / "tokenizer.json").write_text(json.dumps(described), encoding="utf-8")
    tokens = MessageTokenizer(tmp_path / "tokenizer.json", MOST).encode(["I feel FINE"])
    assert tokens.unknown_counts.tolist() == [0 if lowercase else 2]
