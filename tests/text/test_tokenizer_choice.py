"""Tests of detokenization, of learned rules, and of the choice of a tokenizer."""

import doctest
import functools
import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.text import (
    SplitRule,
    TextEncoder,
    choose_tokenizer,
    detokenization,
    split_rule,
    tokenizer_choice,
)
from keras_seq.text.detokenization import ESCAPES, JOININGS, align, detect_joining, join
from keras_seq.text.tokenizer_choice import measure_tokenizer
from keras_seq.text.tokenizers import TOKENIZERS

ADDRESSES = [
    "430 webster st, palo alto, CA 94301",
    "9912 S. Avenue H",
    "B-17 Lee's Mill #4, Evanston, IL 60202",
]
"""Texts whose tokens are the parts between white space."""
TEXTS = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("aAbz09.,'’-_ \t\u0301\u3000中ー\x00")),
    max_size=30,
)


@pytest.mark.parametrize("module", [detokenization, split_rule, tokenizer_choice])
def test_examples_in_docstrings(module):
    results = doctest.testmod(module)
    assert results.attempted and not results.failed


JOINED = {
    "blanks": ("430 webster st, palo", "430 webster st, palo"),
    "punctuation": ("Well , Ada ; no : yes !", "Well, Ada; no: yes!"),
    "brackets": ("see ( p. 5 ) [ 2 ] .", "see (p. 5) [2]."),
    "clitics": ("I ca n't , Ada 's here , they 're", "I can't, Ada's here, they're"),
    "apostrophes of their own": ("Ada ' s cat ' ll", "Ada's cat'll"),
    "straight quotes": ('he said " no way " and " yes " .', 'he said "no way" and "yes".'),
    "escapes": ("-LRB- so `` no '' -RRB- .", '(so "no").'),
    "curly quotes": ("« non » “ no ”", "«non» “no”"),
    "elisions": ("l' homme d' or", "l'homme d'or"),
    "money": ("it is $ 5 or 6 % .", "it is $5 or 6%."),
}


@pytest.mark.parametrize("case", JOINED)
def test_written_text(case):
    tokens, text = JOINED[case]
    assert join(tokens.split(), "written").text == text


def test_chinese_and_thai_are_joined_without_blanks():
    assert (
        join(["张小明", "用", "GPU", "tests", "3", "天"], "unspaced").text
        == "张小明用GPU tests 3天"
    )
    assert join(list("1998年"), "unspaced").text == "1998年"
    assert join(["กิน", "ข้าว"], "unspaced").text == "กินข้าว"


SENTENCES = {
    "punctuation apart": (["Ada met Grace , too .", "No !"], "written"),
    "punctuation attached": (["Ada met Grace, too.", "No!"], "blanks"),
    "abbreviations": (["Mr. Lee of Lee Corp. met , too", "He left ."], "written"),
    "mostly attached": (["a, b, c, d, e ,"], "blanks"),
    "no punctuation": (["Ada met Grace"], "blanks"),
    "characters": (["张 小 明 。", "1 9"], "unspaced"),
    "Chinese words": (["张小明 在 北京 ， 用 GPU 。"], "unspaced"),
    "Korean": (["저는 서울에 살아요 ."], "written"),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_detect_joining(case):
    sentences, joining = SENTENCES[case]
    assert detect_joining([sentence.split() for sentence in sentences]) == joining


@given(st.lists(st.text(min_size=1)), st.sampled_from(list(JOININGS)))
def test_joined_texts_contain_the_tokens(tokens, joining):
    text, offsets = join(tokens, joining)
    spelled = [ESCAPES.get(token, token) if joining == "written" else token for token in tokens]
    assert [text[start:end] for start, end in offsets] == spelled
    ends = [0, *(end for _, end in offsets)]
    assert all(text[end:start] in ("", " ") for end, (start, _) in zip(ends, offsets))
    assert len(text) == ends[-1]


@given(st.lists(st.text("ab,.", min_size=1)), st.sampled_from(list(JOININGS)))
def test_tokens_are_found_in_their_text(tokens, joining):
    raw = join(tokens, joining)
    assert align(tokens, raw.text) == raw


def test_tokens_that_are_not_in_the_text():
    text = "il vient du nord du pays"
    tokens = ["il", "vient", "de", "le", "nord", "de", "le", "pays"]
    found = [offset and text[slice(*offset)] for offset in align(tokens, text).offsets]
    assert found == ["il", "vient", None, None, "nord", None, None, "pays"]
    assert align(["a", "b"], "").offsets == [None, None]
    with pytest.raises(InputError, match="no joining 'x'"):
        join(["a"], "x")


# Learned rules.


def french(text):
    """Return a text and its tokens: as words, but "l'" is a token, and so is "3,5"."""
    spans = re.finditer(r"\w+['’]|\d+(?:,\d+)?|\w+(?:-\w+)*|[^\w\s]", text)
    return text, [match.span() for match in spans]


FRENCH = [
    f"L'{noun} d'{name} coûte {number},5 euros, dit-il: {number} c'est l'{noun}."
    for noun, name, number in itertools.product(
        ("homme", "avion", "église", "île"), ("Ada", "Émile", "hier"), (3, 20)
    )
]


@functools.cache
def french_rule():
    return SplitRule.fit([french(text) for text in FRENCH])


def test_a_rule_learned_from_tokens():
    text = "L'ours d'Oslo mange 4,5 pommes, c'est l'hiver."
    tokens = [token.text for token in french_rule().tokenizer(text)]
    assert tokens == [text[slice(*offset)] for offset in french(text)[1]]
    assert tokens[:3] == ["L'", "ours", "d'"] and "4,5" in tokens
    assert len(french_rule().exceptions) < 20


def test_unknown_pairs_of_symbols_are_split_as_others_are():
    text, offsets = "wait... (no)! what?! a-b", [(0, 4), (4, 7), (8, 9), (9, 11), (11, 13)]
    offsets += [(14, 18), (18, 20), (21, 22), (22, 23), (23, 24)]
    rule = SplitRule.fit([(text, offsets)] * 2)
    assert [token.text for token in rule.tokenizer("oh-+*, 3%$")] == ["oh", "-+*,", "3", "%$"]


def test_a_rule_without_exceptions_splits_into_words_and_symbols():
    rule = SplitRule([])
    assert [token.text for token in rule.tokenizer("né 3.5_a ...")] == [
        *["né", "3", ".", "5", "_", "a", ".", ".", "."]
    ]
    assert rule.tokenizer("") == [] and rule.tokenizer(" \u3000") == []
    assert SplitRule.fit([]).get_config() == {"exceptions": []}


@given(TEXTS)
def test_offsets_of_a_learned_rule(text):
    tokens = french_rule().tokenizer(text)
    assert all(text[start:end] == token for token, start, end in tokens)
    assert "".join(token for token, *_ in tokens) == "".join(c for c in text if not c.isspace())


@functools.cache
def learned_graph(lower):
    """Return a function from texts to tokens and spellings, in a TensorFlow graph."""
    import tensorflow as tf

    encoder = TextEncoder(["a"], "learned", lower, split_rule=french_rule())

    def run(texts):
        return encoder.tokenize_tf(texts), encoder.spellings_tf(texts)

    return encoder, tf.function(run, [tf.TensorSpec([None], tf.string)], autograph=False)


@pytest.mark.parametrize("lower", [False, True])
@given(st.lists(TEXTS, max_size=3))
def test_a_learned_rule_in_a_graph(lower, texts):
    pytest.importorskip("tensorflow")
    encoder, graph = learned_graph(lower)
    tokens, spellings = graph([text.encode() for text in texts])
    decoded = [[token.decode() for token in row] for row in tokens.to_list()]
    assert decoded == [encoder.tokenize(text) for text in texts]
    decoded = [[token.decode() for token in row] for row in spellings.to_list()]
    assert decoded == [encoder.spellings(text) for text in texts]


@pytest.mark.slow
def test_every_character_in_a_graph():
    pytest.importorskip("tensorflow")
    text = "".join(f"a{chr(c)}1 " for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    encoder, graph = learned_graph(False)
    [tokens] = graph([text.encode()])[0].to_list()
    assert b"\n".join(tokens) == "\n".join(encoder.tokenize(text)).encode()


@functools.cache
def documented_tokenizer():
    """Return the tokenizer in docs/export.md, for the rule for French."""
    page = (Path(__file__).parents[2] / "docs/export.md").read_text("utf-8")
    [code] = [code for code in re.findall(r"```python\n(.*?)```", page, re.S) if "learned(" in code]
    names = {"metadata": {"split_rule": json.loads(json.dumps(french_rule().to_metadata()))}}
    exec(code, names)
    return names["learned"]


@given(TEXTS)
def test_the_documented_tokenizer(text):
    expected = [token.text for token in french_rule().tokenizer(text)]
    assert documented_tokenizer()(text) == expected


def test_the_rule_is_saved_with_the_encoder():
    encoder = TextEncoder.from_examples([["l'", "homme"]], "learned", split_rule=french_rule())
    config = json.loads(json.dumps(encoder.get_config()))
    restored = TextEncoder.from_config(config)
    assert restored.tokenize("l'avion") == encoder.tokenize("l'avion") == ["l'", "avion"]
    assert restored.get_config() == config
    assert "split_rule" not in TextEncoder(["a"]).get_config()
    with pytest.raises(InputError, match="'learned' needs a split_rule, as choose_tokenizer"):
        TextEncoder(["a"], "learned")
    with pytest.raises(InputError, match="'word' takes no split_rule"):
        TextEncoder(["a"], "word", split_rule=french_rule())


# The choice.


def tokens_of(name, texts):
    return [[token.text for token in TOKENIZERS[name](text)] for text in texts]


def test_white_space_is_chosen_for_addresses():
    choice = choose_tokenizer([text.split() for text in ADDRESSES])
    assert choice.tokenizer == "whitespace" and choice.split_rule is None
    assert choice.report.shares == (1.0, 1.0) and choice.report.warning == ""
    assert choice.report.other_shares["word"].sentences == 0
    assert str(choice.report) == (
        "tokenizer: white space, reproduces 100.0% of 3 training sentences from raw text (tokens "
        "joined by blanks)"
    )


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("word", ["Ada met Grace, too.", "Lee's cat: no-one?"]),
        ("word", ["Ada met Grace"]),
        ("char_nospace", ["张小明在北京。", "1998年"]),
        ("whitespace", ["Ada met Grace, too.", "Lee's cat: no-one?"]),
    ],
)
def test_the_tokenizer_of_the_data_is_chosen(name, texts):
    assert choose_tokenizer(tokens_of(name, texts)).tokenizer == name
    assert choose_tokenizer(tokens_of(name, texts), texts).tokenizer == name


def test_the_original_text_decides_where_it_is_known():
    tokens = ["Ada", "-", "Grace", "met", "."]
    report = choose_tokenizer([tokens], ["Ada-Grace met."]).report
    assert report.tokenizer == "word" and report.text_source == "original"
    assert str(report).endswith("(original text)")
    report = measure_tokenizer(TOKENIZERS["whitespace"], [tokens], ["Ada-Grace met."])
    assert report.shares == (0, 0) and report.other_shares["word"] == (1, 1)


def test_a_rule_is_learned_where_no_tokenizer_fits():
    examples = [french(text) for text in FRENCH]
    sentences = [[text[slice(*offset)] for offset in offsets] for text, offsets in examples]
    choice = choose_tokenizer(sentences, FRENCH)
    assert choice.tokenizer == "learned" and choice.report.shares.sentences == 1
    assert choice.report.num_sentences == 5 and choice.report.num_training_sentences == 24
    assert "rule learned from the training data, reproduces 100.0% of 5 held-out of 24" in str(
        choice.report
    )
    tokens = [token.text for token in choice.split_rule.tokenizer(FRENCH[0])]
    assert tokens == sentences[0]


def test_differences_are_shown():
    sentences = [text.split() for text in ADDRESSES]
    report = measure_tokenizer(TOKENIZERS["word"], [*sentences[:1], *sentences])
    assert report.warning == (
        "100.0% of the training sentences are split into other tokens when they are given "
        "as raw text, for example:\n"
        "  raw text:        430 webster st, palo alto, CA 94301\n"
        "  training tokens: 430 | webster | st, | palo | alto, | CA | 94301\n"
        "  tokens of raw:   430 | webster | st | , | palo | alto | , | CA | 94301\n"
        "  raw text:        9912 S. Avenue H\n"
        "  training tokens: 9912 | S. | Avenue | H\n"
        "  tokens of raw:   9912 | S | . | Avenue | H\n"
        "The tokenizer whitespace reproduces 100.0%."
    )
    assert json.loads(json.dumps(report.to_json()))["shares"]["whitespace"]["sentences"] == 1


def test_only_some_of_many_sentences_are_measured(monkeypatch):
    monkeypatch.setattr(tokenizer_choice, "subsample", lambda items, _: list(items)[::10])
    report = choose_tokenizer([["Ada", str(number)] for number in range(100)]).report
    assert "of 10 of 100 training sentences" in str(report)
    assert tokenizer_choice.MAX_SENTENCES >= 1_000


@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1), max_size=30)
)
def test_any_tokens(sentences):
    report = choose_tokenizer(sentences).report
    assert 0 <= report.shares.sentences <= 1 and 0 <= report.shares.tokens <= 1
    assert str(report) and (report.warning == "") == (report.shares.sentences >= 0.99)
