"""Tests of the columns of files with one token per line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_seq import data
from keras_seq._internal.errors import InputError
from keras_seq.data.conll import iterate_conll
from keras_seq.data.conll_columns import Column, ColumnLayout
from keras_seq.text.tag_schemes import Span


def read(folder, content, name="a.conll", **options):
    """Return the sentences of a file, and its summary."""
    (folder / name).write_bytes(content.encode("utf-8"))
    [file] = data.open_tagged([folder / name], data.TaggingOptions(**options))
    return [(tokens, spans) for tokens, spans, _ in file], file.summary


CONLL_U = """# sent_id = 1
# text = Ann sees it
1\tAnn\tAnn\tPROPN\tNNP\t_\t2\tnsubj\t_\tNER=B-PER
2\tsees\tsee\tVERB\tVBZ\t_\t0\troot\t_\tNER=O
2.1\tghost\tghost\tX\t_\t_\t_\t_\t_\t_
3-4\tit's\t_\t_\t_\t_\t_\t_\t_\t_
3\tit\tit\tPRON\tPRP\t_\t2\tobj\t_\tNER=O
4\t's\tbe\tAUX\tVBZ\t_\t2\taux\t_\tNER=O

"""
CONLL_U_TOKENS = ["Ann", "sees", "it", "'s"]

CASES = {
    "a no-break space": (
        "10\xa0000 CD I-NP B-NUM\neuros NN I-NP O\n\n",
        (["10\xa0000", "euros"], [Span("NUM", 0, 1)]),
    ),
    "an ideographic space": ("中\tO\n\u3000\tO\n国\tO\n\n", (["中", "\u3000", "国"], [])),
    "U+0085": ("a\x85b\tO\nc\tO\n\n", (["a\x85b", "c"], [])),
    "other white space": (
        "a\x0b\x1cb O\n\u2028 B-X\n",
        (["a\x0b\x1cb", "\u2028"], [Span("X", 1, 2)]),
    ),
    "carriage returns": ("a O\rb B-X\r\n\r\n", (["a", "b"], [Span("X", 1, 2)])),
    "several spaces": (" a   O \nb\t O\n", (["a", "b"], [])),
    "comments of MultiCoNER": (
        "# id f423a88e domain=en\nit _ _ O\nis _ _ O\nOslo _ _ B-LOC\n\n",
        (["it", "is", "Oslo"], [Span("LOC", 2, 3)]),
    ),
    "comments with a tab": (
        "# id 5239d808\tdomain=en\nit _ _ O\nis _ _ B-X\n\n",
        (["it", "is"], [Span("X", 1, 2)]),
    ),
    "UNER": (
        "# newdoc id = 1\n# sent_id = 1\n# text = Ann sees Oslo\n"
        "1\tAnn\tB-PER\t-\t-\n2\tsees\tO\t-\t-\n3\tOslo\tB-LOC\t-\t-\n\n",
        (["Ann", "sees", "Oslo"], [Span("PER", 0, 1), Span("LOC", 2, 3)]),
    ),
    "CoNLL-U": (CONLL_U, (CONLL_U_TOKENS, [Span("PER", 0, 1)])),
    "a token #": ("#\tO\nOslo\tB-LOC\n\n", (["#", "Oslo"], [Span("LOC", 1, 2)])),
    "a token # and spaces": ("# O\nOslo B-LOC\n\n", (["#", "Oslo"], [Span("LOC", 1, 2)])),
    "a hashtag": ("#Oslo B-LOC\nis O\n", (["#Oslo", "is"], [Span("LOC", 0, 1)])),
    "a token # within a sentence": ("a O\n# O\nb B-X\n", (["a", "#", "b"], [Span("X", 2, 3)])),
    "BMES": (
        "张 B-PER\n小 M-PER\n明 E-PER\n在 O\n京 S-LOC\n\n",
        (["张", "小", "明", "在", "京"], [Span("PER", 0, 3), Span("LOC", 4, 5)]),
    ),
    "BILOU": (
        "New B-LOC\nYork I-LOC\nCity L-LOC\nAnn U-PER\n\n",
        (["New", "York", "City", "Ann"], [Span("LOC", 0, 3), Span("PER", 3, 4)]),
    ),
    "letters without labels": (
        "New B\nYork I\nis O\n\n",
        (["New", "York", "is"], [Span("ENTITY", 0, 2)]),
    ),
    "labels": (
        "New LOC\nYork LOC\nis O\nAnn PER\n",
        (["New", "York", "is", "Ann"], [Span("LOC", 0, 2), Span("PER", 3, 4)]),
    ),
    "-DOCSTART-": ("-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\n", (["EU"], [Span("ORG", 0, 1)])),
    "numbers that are tokens": (
        "1 CD B-NP O\n2 CD I-NP O\n\nAnn NNP B-NP B-PER\nis VBZ B-VP O\n\n3 CD I-NP O\n",
        (["1", "2"], []),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_columns(tmp_path, case):
    text, expected = CASES[case]
    sentences, _ = read(tmp_path, text)
    assert sentences[0] == expected


def test_only_line_ends_separate_lines(tmp_path):
    for line_end in ("\n", "\r\n", "\r"):
        text = f"a\u2028 O{line_end}b\x0c O{line_end}{line_end}c B-X{line_end}"
        sentences, _ = read(tmp_path, text)
        assert sentences == [(["a\u2028", "b\x0c"], []), (["c"], [Span("X", 0, 1)])]


@pytest.mark.parametrize(
    "tag_column, tags",
    [("UPOS", ["PROPN", "VERB", "PRON", "AUX"]), (4, ["NNP", "VBZ", "PRP", "VBZ"])],
)
def test_each_column_of_conll_u(tmp_path, tag_column, tags):
    [(tokens, spans)], summary = read(tmp_path, CONLL_U, tag_column=tag_column)
    assert tokens == CONLL_U_TOKENS
    assert spans == [Span(tag, i, i + 1) for i, tag in enumerate(tags)]
    assert summary.scheme == "classes"
    assert str(summary).startswith(
        f"{tmp_path / 'a.conll'}: CoNLL-U, UTF-8, token = 'FORM', tag = "
    )
    assert dict(summary.left_out) == {"comments": 2, "empty nodes": 1, "ranges of tokens": 1}


def test_upos_is_the_default_without_entities(tmp_path):
    _, summary = read(tmp_path, CONLL_U.replace("NER=", "X="))
    assert summary.columns == {"token": "FORM", "tag": "UPOS"}


def test_names_of_columns(tmp_path):
    plus = "# global.columns = ID FORM UPOS X:NE\n1\tAnn\tPROPN\tB-PER\n2\tis\tAUX\tO\n"
    assert read(tmp_path, plus)[0] == [(["Ann", "is"], [Span("PER", 0, 1)])]
    upos, _ = read(tmp_path, plus, tag_column="UPOS")
    assert upos == [(["Ann", "is"], [Span("PROPN", 0, 1), Span("AUX", 1, 2)])]
    header = "tag\tword\nB-PER\tAnn\nO\tis\n"
    options = {"token_column": "word", "tag_column": "tag"}
    assert read(tmp_path, header, **options)[0] == [(["Ann", "is"], [Span("PER", 0, 1)])]
    with pytest.raises(
        InputError, match=r"a\.conll: There is no column 'UPOSS': did you mean 'UPOS'"
    ):
        read(tmp_path, plus, tag_column="UPOSS")
    with pytest.raises(InputError, match=r"no column 'NER'.* A key in MISC is MISC:KEY"):
        read(tmp_path, CONLL_U, tag_column="NER")
    with pytest.raises(InputError, match="no column 'UPOS', since no line names the columns"):
        read(tmp_path, "a O\n", tag_column="UPOS")


def test_classes_of_tokens(tmp_path):
    text = "# #\nis VERB\n\nit PRON\nis VERB\n"
    sentences = [
        (["#", "is"], [Span("#", 0, 1), Span("VERB", 1, 2)]),
        (["it", "is"], [Span("PRON", 0, 1), Span("VERB", 1, 2)]),
    ]
    for options in ({"scheme": "classes"}, {"tag_column": 1}, {"tag_column": -1}):
        assert read(tmp_path, text, **options)[0] == sentences
    # Any text with two words per line would do.
    with pytest.raises(InputError, match=r"a\.conll, line 2: 'here' in the last column is not a"):
        read(tmp_path, "\nstands here\nmore text\n")


def test_other_columns_may_vary_with_indices_from_one_side(tmp_path):
    text = "#begin document (x); part 000\nd 0 Ann B-X a\nd 1 is O a b\n\n#end document\n"
    sentences, _ = read(tmp_path, text, token_column=2, tag_column=3)
    assert sentences == [(["Ann", "is"], [Span("X", 0, 1)])]


def test_indices_of_columns(tmp_path):
    text = "O x Ann\nB-X x b\n"
    for columns in ((-1, 0), ("-1", "0"), (2, -3)):
        found, _ = read(tmp_path, text, token_column=columns[0], tag_column=columns[1])
        assert found == [(["Ann", "b"], [Span("X", 1, 2)])]


COLUMN_ERRORS = {
    "an empty token": ("a\tO\n\tO\n", "a.conll", "line 2: the token is empty"),
    "an empty tag": ("a\tO\nb\t\n", "a.conll", "line 2: the tag is empty"),
    "no number": (CONLL_U + "x\ta" + "\t_" * 8, "a.conll", "line 10: 'x' is not the number"),
    "no number at all": ("x\ta" + "\t_" * 8, "a.conllu", "line 1: 'x' is not the number"),
    "no tags": ("1\ta\tb\tc\n2\ta\tb\tc\n", "a.conll", "no column has tags for spans"),
    "a token with a space": (
        "New York O\nis O\nin O\n",
        "a.conll",
        "line 1: 'New York O' has 3 col",
    ),
    "a comment within a sentence": ("a _ O\n# id\nb _ O\n", "a.conll", "line 2: '# id' has 2 col"),
    "no sentences": ("-DOCSTART- O\n\n", "a.conll", "contains no sentences"),
}


@pytest.mark.parametrize("case", COLUMN_ERRORS)
def test_errors_in_columns(tmp_path, case):
    text, name, message = COLUMN_ERRORS[case]
    with pytest.raises(InputError, match=message):
        read(tmp_path, text, name)


def cells(blacklist):
    """Draw cells of a file: all of Unicode but halves of surrogate pairs and some characters."""
    characters = st.characters(blacklist_characters=blacklist, blacklist_categories=("Cs",))
    return st.text(characters, min_size=1).filter(
        # Spaces around a cell and a byte order mark at the beginning of the file are not read.
        lambda cell: cell == cell.strip(" ") and cell[0] not in "#\ufeff" and cell != "-DOCSTART-"
    )


@pytest.mark.parametrize("delimiter", ["\t", " "])
@given(drawn=st.data())
def test_columns_written_and_read_back(tmp_path_factory, delimiter, drawn):
    cell = cells("\t\r\n" if delimiter == "\t" else "\t\r\n ")
    rows = st.lists(st.tuples(cell, cell), min_size=1, max_size=4)
    sentences = drawn.draw(st.lists(rows, min_size=1, max_size=3))
    text = "\n\n".join("\n".join(map(delimiter.join, rows)) for rows in sentences)
    path = tmp_path_factory.mktemp("rows") / "a.conll"
    path.write_bytes(text.encode("utf-8"))
    layout = ColumnLayout("CoNLL", Column(0), Column(-1))
    read_back = [
        list(zip(tokens, tags, strict=True)) for tokens, tags, *_ in iterate_conll(path, layout)
    ]
    assert read_back == sentences
