"""Choice of the tokenizer that reproduces the tokens of a corpus from its raw text.

A model that is trained on the tokens of a file is later given raw text. It must be split into the
same tokens. The raw text of the file is the original text where the reader knows it, else the text
that `keras_seq.text.detokenization` describes.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from keras_seq._internal.errors import check_list
from keras_seq._internal.subsampling import subsample
from keras_seq.text import detokenization
from keras_seq.text.detokenization import JOININGS, RawText
from keras_seq.text.split_rule import SplitRule
from keras_seq.text.splitting import Token
from keras_seq.text.tokenizers import LEARNED, TOKENIZERS, Tokenizer
from keras_seq.text.words import are_characters

CANDIDATES = ("word", "penn_treebank", "whitespace", "char_nospace")
"""Tokenizers to choose from. Of those that are equally good, the first is chosen."""
DESCRIPTIONS = {
    "word": "words",
    "penn_treebank": "Penn Treebank",
    "whitespace": "white space",
    "char_nospace": "characters",
    LEARNED: "rule learned from the training data",
}
"""Descriptions of tokenizers for the user. The others are called by their names."""
MIN_SHARE = 0.99
"""Share of the sentences that a tokenizer should reproduce."""
MAX_SENTENCES = 5_000
"""Maximum number of sentences to measure on. Of more sentences, evenly spaced ones are taken."""
MIN_RULE_SENTENCES = 20
"""Smallest number of sentences to learn a rule from."""
HELD_OUT_STEP = 5
"""Distance of the sentences that measure a learned rule, which is learned from the others."""
MAX_DIFFERENCES = 2
"""Maximum number of differing sentences that a report shows."""


class Shares(NamedTuple):
    """Shares that a tokenizer reproduces from raw text, 0 to 1."""

    sentences: float
    tokens: float


class Difference(NamedTuple):
    """Sentence that a tokenizer does not reproduce."""

    text: str
    tokens: list[str]
    """Tokens of the file."""
    reproduced: list[str]
    """Tokens of the tokenizer."""


@dataclasses.dataclass(frozen=True)
class TokenizerReport:
    """Report of how well a tokenizer reproduces the tokens of training sentences.

    >>> print(choose_tokenizer([["430", "webster", "st,"], ["palo", "alto,"]]).report)
    tokenizer: white space, reproduces 100.0% of 2 training sentences from raw text (tokens joined \
by blanks)
    """

    tokenizer: str
    """Name of the tokenizer."""
    text_source: str
    """Source of the raw text: "original", or a key of `detokenization.JOININGS`."""
    num_sentences: int
    """Number of sentences to measure on."""
    num_training_sentences: int
    shares: Shares
    other_shares: dict[str, Shares]
    """Dictionary from the other candidates to their shares."""
    differences: tuple[Difference, ...]
    is_held_out: bool = False
    """True if a rule was learned from other sentences than these."""

    def __str__(self) -> str:
        """Return one line for the user."""
        count = f"{self.num_sentences:,}"
        if self.num_sentences < self.num_training_sentences:
            count += f"{' held-out' * self.is_held_out} of {self.num_training_sentences:,}"
        source = {"original": "original text", **JOININGS}[self.text_source]
        return (
            f"tokenizer: {describe(self.tokenizer)}, reproduces {self.shares.sentences:.1%} of "
            f"{count} training sentence{'s' * (self.num_training_sentences != 1)} from raw text "
            f"({source})"
        )

    @property
    def warning(self) -> str:
        """Warning with examples if too few sentences are reproduced, or an empty string."""
        if self.shares.sentences >= MIN_SHARE:
            return ""
        lines = [
            f"{1 - self.shares.sentences:.1%} of the training sentences are split into "
            "other tokens when they are given as raw text, for example:"
        ]
        for difference in self.differences:
            lines += [
                f"  raw text:        {difference.text}",
                f"  training tokens: {' | '.join(difference.tokens)}",
                f"  tokens of raw:   {' | '.join(difference.reproduced)}",
            ]
        best = max(self.other_shares, key=lambda name: self.other_shares[name], default="")
        if best and self.other_shares[best] > self.shares:
            share = self.other_shares[best].sentences
            lines.append(f"The tokenizer {best} reproduces {share:.1%}.")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        shares = {self.tokenizer: self.shares, **self.other_shares}
        return {
            "tokenizer": self.tokenizer,
            "text_source": self.text_source,
            "num_sentences": self.num_sentences,
            "num_training_sentences": self.num_training_sentences,
            "is_held_out": self.is_held_out,
            "shares": {name: share._asdict() for name, share in shares.items()},
            "differences": [difference._asdict() for difference in self.differences],
        }


class TokenizerChoice(NamedTuple):
    """Chosen tokenizer: arguments of `TextEncoder`, and a report.

    >>> choose_tokenizer([["Ada", "lived", "."]]).tokenizer
    'word'
    """

    tokenizer: str
    split_rule: SplitRule | None
    report: TokenizerReport


def describe(name: str) -> str:
    """Return the description of a tokenizer for the user.

    Args:
        name: Name of the tokenizer.
    """
    return DESCRIPTIONS.get(name, name)


def choose_tokenizer(
    sentences: Sequence[Sequence[str]], texts: Sequence[str] | None = None
) -> TokenizerChoice:
    """Choose the tokenizer that reproduces the most training sentences from their raw text.

    If no tokenizer of `CANDIDATES` reproduces 99% of the sentences, a `SplitRule` is learned from
    four fifths of them. It is chosen if it is better on the other fifth, and then learned again
    from all sentences. The shares of its report are those of the fifth.

    Args:
        sentences: Lists of tokens.
        texts: Original text of each sentence, or empty strings where it is not known.
    """
    sample = _Sample(sentences, texts)
    is_characters = are_characters(itertools.chain.from_iterable(sample.sentences))
    reports = {name: sample.measure(TOKENIZERS[name]) for name in CANDIDATES}
    best = max(reports, key=lambda n: (reports[n].shares, is_characters and n == "char_nospace"))
    report, rule = reports[best], None
    if report.shares.sentences < MIN_SHARE and len(sample.sentences) >= MIN_RULE_SENTENCES:
        held_out = sample.held_out()
        learned = held_out.measure(sample.fit_rule(use_held_out=False).tokenizer)
        if learned.shares > held_out.measure(TOKENIZERS[best]).shares:
            best, rule = LEARNED, sample.fit_rule(use_held_out=True)
            report = dataclasses.replace(learned, is_held_out=True)
    others = {name: other.shares for name, other in reports.items() if name != best}
    return TokenizerChoice(best, rule, dataclasses.replace(report, other_shares=others))


def measure_tokenizer(
    tokenizer: Tokenizer,
    sentences: Sequence[Sequence[str]],
    texts: Sequence[str] | None = None,
    joining: str | None = None,
) -> TokenizerReport:
    """Measure how well a tokenizer reproduces training sentences from their raw text.

    Args:
        tokenizer: Tokenizer.
        sentences: Lists of tokens.
        texts: Original text of each sentence, or empty strings where it is not known.
        joining: Key of `detokenization.JOININGS` for the other sentences. Default: detected.

    Returns:
        Report. It has the shares of other tokenizers if that of this one is below 99%.
    """
    sample = _Sample(sentences, texts, joining)
    report = sample.measure(tokenizer)
    if report.shares.sentences >= MIN_SHARE:
        return report
    others = [name for name in CANDIDATES if name != tokenizer.name]
    shares = {name: sample.measure(TOKENIZERS[name]).shares for name in others}
    return dataclasses.replace(report, other_shares=shares)


def raw_texts(
    sentences: Sequence[Sequence[str]], texts: Sequence[str] | None, joining: str
) -> list[RawText]:
    """Return the raw text of each sentence.

    Args:
        sentences: Lists of tokens.
        texts: Original text of each sentence, or empty strings where it is not known.
        joining: Key of `detokenization.JOININGS` for the other sentences.
    """
    return [
        detokenization.align(tokens, text) if text else detokenization.join(tokens, joining)
        for tokens, text in zip(sentences, texts or [""] * len(sentences), strict=True)
    ]


class _Sample:
    """Sample of the training sentences, with their raw text."""

    def __init__(
        self,
        sentences: Sequence[Sequence[str]],
        texts: Sequence[str] | None,
        joining: str | None = None,
    ) -> None:
        for tokens in sentences:
            check_list(tokens, "tokens")
        self.sentences = subsample(sentences, MAX_SENTENCES)
        self.num_training_sentences = len(sentences)
        texts = subsample(texts, MAX_SENTENCES) if texts else [""] * len(self.sentences)
        joining = joining or detokenization.detect_joining(self.sentences)
        self.text_source = "original" if all(texts) and texts else joining
        self.raw = raw_texts(self.sentences, texts, joining)

    def held_out(self) -> _Sample:
        """Return the sentences that measure a learned rule."""
        sample = copy.copy(self)
        sample.sentences, sample.raw = self.sentences[::HELD_OUT_STEP], self.raw[::HELD_OUT_STEP]
        return sample

    def fit_rule(self, use_held_out: bool) -> SplitRule:
        """Learn a rule from the sentences, with or without those that are held out."""
        examples = []
        for number, (text, offsets) in enumerate(self.raw):
            known = [offset for offset in offsets if offset]
            if len(known) == len(offsets) and (use_held_out or number % HELD_OUT_STEP):
                examples.append((text, known))
        return SplitRule.fit(examples)

    def measure(self, tokenizer: Tokenizer) -> TokenizerReport:
        """Measure a tokenizer on the sentences."""
        num_same = num_tokens = num_same_tokens = 0
        differences: list[Difference] = []
        for tokens, (text, offsets) in zip(self.sentences, self.raw, strict=True):
            reproduced = tokenizer(text)
            spelled = [token.text for token in reproduced]
            is_same = spelled == list(tokens)
            num_same += is_same
            num_tokens += len(tokens)
            num_same_tokens += _count_same(tokens, offsets, reproduced)
            difference = Difference(text, list(tokens), spelled)
            if not is_same and len(differences) < MAX_DIFFERENCES and difference not in differences:
                differences.append(difference)
        shares = Shares(
            num_same / max(len(self.sentences), 1), num_same_tokens / max(num_tokens, 1)
        )
        return TokenizerReport(
            tokenizer.name,
            self.text_source,
            len(self.sentences),
            self.num_training_sentences,
            shares,
            {},
            tuple(differences),
        )


def _count_same(
    tokens: Iterable[str],
    offsets: Iterable[tuple[int, int] | None],
    reproduced: Iterable[Token],
) -> int:
    """Return the number of tokens that a tokenizer reproduces at their offsets."""
    by_offset = {(token.start, token.end): token.text for token in reproduced}
    return sum(
        offset is not None and by_offset.get(offset) == token
        for token, offset in zip(tokens, offsets, strict=True)
    )
