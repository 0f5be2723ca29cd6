"""Tests of the tokenizer of the Penn Treebank."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keras_seq.text.tokenizers import TOKENIZERS

TOKENIZER = TOKENIZERS["penn_treebank"]
PARTS = [
    *"abIiİkSs.,:;?!-_ \n\t\x85\u3000'’‘\"“”`()[]<>$%&*#@…—1é中\u0301\ufe0f\u200d",
    *["n't", "'s", "'ll", "’ve", "''", "``", "--", "...", "U.S.", "cannot", "gİmme", "more'n"],
    *["'tis", "lemme", "'90s", " wanna ", "3,000", "'em ", "N'T"],
]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)

LINES = """\
They ca|n't , he said|, buy| "|apples|" for $|3.88|.
I wo|n't go|; she|'ll come|: it|'s 3:30|.
He|'s in the U.S.
Call John S.
So do I|.
Is it he|?
Mr. Smith lives at 430 S. Webster St.|, Palo Alto|, CA 94301|.
The dogs|' owner (|John|'s friend|) is|n't here|!
We can|not gon|na wan|na gim|me lem|me got|ta more|'n that|.
Wait|... what|?
It cost 1,000,000 dollars -- or 5|% more|.
"|Hello|,|" he said. "|How are you|?|"
I|'d|'ve gone|, they could|n't|'ve|.
'T|is the season|; 't|was fun|.
In the '90s|, rock 'n|' roll|.
He said '|hello world|'|.
O’Brien said “|do|n’t|”|.
The end (|really|.|)
She said "|stop|.|"
She said "|stop|"|.
«|Bonjour|»|, dit-il|.
N'T DO|N'T
He read [|1|] and {|2|} and <|b|>|.
AT|&|T and R|&|D cost #|5 @|home|.
What|?|!| No|!|!
e.g. this|, i.e. that|.
The company|'s shares rose 3 1/2 to $|45|.
http|:|//example.com:80/a|?|b=c is a site|; a/b and c-d are not|.
It|'s "|a '|test|'| of|"| quotes|.
Rates|: 3.5|, 4.25 and .5 per cent|.
He paid $|5,000.00 (|approx. £3,000|) on 12/11/2010|.
Well|, I|'m sure that you|'re right|; we|'ve seen it|.
The so-called "|rule|"| -- it is|n't -- matters|.
(|See p. 5|.|)
James|' book|, the 1990|'s|, Mrs. O'Leary|'s cow|.
one|,|two|;|three|:|four * five
1,000|, 2:30 and 5|% of those|: 1,2,3|.
Paris – or Rome|—|not Oslo|.
Yes
etc|.
I ca|n't|, wo|n't|, should|n't|: DO|N'T|!
Dr. J. Smith Jr. met Mr. Li at 5 p.m. today|.
John|'s sister|'s friend|'s car|'s gone|.
`|quoted|'| and ``|quoted|''|.
He said|: "|'|Stop|!|'|"|.
Press #️⃣ or #|1|!
""".splitlines()
"""Sentences with bars between tokens that no space separates."""


@pytest.mark.parametrize("line", LINES)
def test_examples(line):
    text, tokens = line.replace("|", ""), line.replace("|", " ").split()
    assert [token.text for token in TOKENIZER(text)] == tokens
    assert all(text[start:end] == token for token, start, end in TOKENIZER(text))
    # Separated tokens remain as they are.
    assert [token.text for token in TOKENIZER(" ".join(tokens))] == tokens


DIFFERENT = {"U.S.", "'n", "'90s", "'T", "'d", "n’t", "#️⃣", "S."}
"""Tokens of the deliberate differences from NLTK, which the docstring of the module lists."""
LIKE_NLTK = [line for line in LINES if not DIFFERENT & {*line.replace("|", " ").split()}]


@pytest.mark.parametrize("line", LIKE_NLTK)
def test_nltk_gives_the_same_tokens(line):
    tokenizer, text = (
        pytest.importorskip("nltk.tokenize").NLTKWordTokenizer(),
        line.replace("|", ""),
    )
    spans = [(start, end) for _, start, end in TOKENIZER(text)]
    assert spans == [*tokenizer.span_tokenize(text)]


@given(TEXTS)
@example("'s 's cannot cannot")
def test_offsets_and_case(text):
    tokens = TOKENIZER(text)
    assert all(text[start:end] == token for token, start, end in tokens)
    assert "".join(token.text for token in tokens) == "".join(text.split())
    lower = [(start, end) for _, start, end in TOKENIZER(text, lowercase=True)]
    assert lower == [(start, end) for _, start, end in tokens]


@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_graph_equals_python(texts):
    import tensorflow as tf

    tokens = TOKENIZER.tokenize_tf(tf.constant(texts))
    expected = [[token.text.encode() for token in TOKENIZER(text)] for text in texts]
    assert tokens.to_list() == expected
