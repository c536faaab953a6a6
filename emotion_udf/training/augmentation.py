"""How people type: plain sentences rewritten with what tweets, reviews and support messages have.

Each way keeps a sentence's emotion. Training rewrites a share of its sentences with them, and evaluation measures
what each of them costs.
"""

import random
import re
from collections.abc import Callable
from typing import Final

# By the number of the label; the last are those of a sentence without a feeling.
_EMOJI = ("😢😭😞💔😔", "😀😊😂🎉🥳", "❤😍🥰💕😘", "😡🤬😠👿😤", "😨😱😰🙀😧", "😲😮🤯😯😳", "📦📅📍📎📞")
_EMOTICONS = ((":(", ":-(", ":'("), (":)", ":-)", ":D"), ("<3", "&lt;3", "<3<3"), (), (), (), ())
_NAMES = ("@anna", "@the_real_bob", "@Support", "@acme_help", "@xX99", "@JohnSmith")
_LINKS = ("http://t.co/a8Xk2", "https://www.example.com/p?id=3&x=1", "www.example.org/news", "http://bit.ly/3fTg9")
_TAGS = ("#monday", "#work", "#life", "#nofilter", "#fail", "#tbt", "#review")
_CONTRACTED = (
    *("i'm", "i've", "don't", "didn't", "can't", "couldn't", "doesn't", "isn't", "wasn't", "wouldn't", "that's"),
    *("it's", "you're", "they're", "won't"),
)
_CONTRACTIONS = {word.replace("'", ""): word for word in _CONTRACTED}
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

Rewrite = Callable[[str, int, random.Random], str]


def _capitals(text: str, _: int, rng: random.Random) -> str:
    change = rng.choice((str.upper, str.title, str.capitalize))
    return change(text)


def _punctuation(text: str, _: int, rng: random.Random) -> str:
    words = text.split()
    for place in rng.sample(range(len(words)), k=min(len(words), 1 + len(words) // 8)):
        words[place] += rng.choice((",", ",", ";", " -", "..."))
    return " ".join(words).rstrip(",;- ") + rng.choice((".", ".", "!", "!!!", "...", "?!"))


def _names(text: str, _: int, rng: random.Random) -> str:
    return f"{rng.choice(_NAMES)} {text}" if rng.random() < 0.7 else f"{text} {rng.choice(_NAMES)}"


def _links(text: str, _: int, rng: random.Random) -> str:
    return f"{text} {rng.choice(_LINKS)}" if rng.random() < 0.7 else f"{rng.choice(_LINKS)} {text}"


def _hashtags(text: str, _: int, rng: random.Random) -> str:
    words = text.split()
    marked = rng.randrange(len(words))
    words[marked] = f"#{words[marked]}"
    return " ".join([*words, *rng.sample(_TAGS, k=rng.randint(0, 2))])


def _emoji(text: str, label: int, rng: random.Random) -> str:
    return f"{text}{rng.choice(('', ' '))}{rng.choice(_EMOJI[label]) * rng.randint(1, 3)}"


def _emoticons(text: str, label: int, rng: random.Random) -> str:
    fitting = _EMOTICONS[label]
    return f"{text} {rng.choice(fitting)}" if fitting else text


def _entities(text: str, _: int, rng: random.Random) -> str:
    text = text.replace(" and ", " &amp; ")
    words = text.split()
    quoted = rng.randrange(len(words))
    words[quoted] = f"&quot;{words[quoted]}&quot;"
    return " ".join(words) + rng.choice(("", " &gt;&gt;", "&nbsp;"))


def _apostrophes(text: str, _: int, rng: random.Random) -> str:
    mark = rng.choice(("'", "’", "&#39;"))
    return " ".join(_CONTRACTIONS.get(word, word).replace("'", mark) for word in text.split())


def _elongations(text: str, _: int, rng: random.Random) -> str:
    """Draw out a vowel in one of the longer words: `so happyyy`."""
    words = text.split()
    longest = sorted(range(len(words)), key=lambda place: -len(words[place]))[:4]
    place = rng.choice(longest)
    vowels = [found.start() for found in re.finditer("[aeiouy]", words[place])]
    if vowels:
        at = vowels[-1]
        words[place] = words[place][:at] + words[place][at] * rng.randint(3, 5) + words[place][at + 1 :]
    return " ".join(words)


def _typos(text: str, _: int, rng: random.Random) -> str:
    """Swap, drop, double or mistype a letter in one word of eight."""
    words = text.split()
    for place in rng.sample(range(len(words)), k=max(1, len(words) // 8)):
        word = words[place]
        if len(word) < 4:
            continue
        at = rng.randrange(1, len(word) - 1)
        neighbours = [row[i + step] for row in _KEYS for i, key in enumerate(row) if key == word[at]
                      for step in (-1, 1) if 0 <= i + step < len(row)] or [word[at]]  # fmt: skip
        words[place] = rng.choice(
            (
                word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :],
                word[:at] + word[at + 1 :],
                word[:at] + word[at] + word[at:],
                word[:at] + rng.choice(neighbours) + word[at + 1 :],
            )
        )
    return " ".join(words)


REWRITES: Final[dict[str, Rewrite]] = {
    "capitals": _capitals,
    "punctuation": _punctuation,
    "names": _names,
    "links": _links,
    "hashtags": _hashtags,
    "emoji": _emoji,
    "emoticons": _emoticons,
    "entities": _entities,
    "apostrophes": _apostrophes,
    "elongations": _elongations,
    "typos": _typos,
}
"""What can be done to a sentence of an emotion, given as its number; the last argument decides where and how."""


def rewrite(text: str, label: int, rng: random.Random) -> str:
    """Rewrite a sentence in one to three ways, as a message has them together."""
    for way in rng.sample(sorted(REWRITES), k=rng.randint(1, 3)):
        text = REWRITES[way](text, label, rng)
    return text
