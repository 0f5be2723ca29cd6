"""Small files of the kinds that people have, read by the recipes, each with the right reading."""

import pyarrow
import pytest
from keras_seq_recipes.ner import config as ner_config
from keras_seq_recipes.ner import data as ner_data
from keras_seq_recipes.spelling import data as spelling_data
from keras_seq_recipes.translation import config as translation_config
from keras_seq_recipes.translation import data as translation_data
from pyarrow import parquet

from keras_seq import data
from keras_seq._internal.errors import InputError


def read_tagged(path, **options):
    """Return tokens and spans of the sentences of a file, as the recipe `ner` reads them."""
    [(_, sentences)] = ner_data.read_files([path], ner_config.Config(**options))
    return [
        (tokens, [tuple(span) for span in spans]) for tokens, spans, *_ in map(tuple, sentences)
    ]


def read_labeled(path):
    """Return texts and labels, as the recipe `sentiment` reads them."""
    files = data.list_labeled_files(path)
    return [(text, label) for text, label, _ in data.read_labeled_texts(files)]


def read_pairs(source, target, *paths):
    """Return pairs, as the recipe `translation` reads them."""
    config = translation_config.Config(source=source, target=target)
    return list(translation_data.read_pairs(paths, config))


TMX = (
    '<?xml version="1.0"?>\n<tmx version="1.4"><header creationtool="x" creationtoolversion="1" '
    'segtype="sentence" o-tmf="x" adminlang="en" srclang="en_US" datatype="xml"/><body>\n<tu>'
    '<tuv xml:lang="en_US"><seg>Press <bpt i="1">&lt;b&gt;</bpt>OK<ept i="1">&lt;/b&gt;</ept> '
    '<ph>%s</ph>now</seg></tuv><tuv xml:lang="de_DE"><seg>Jetzt <hi>OK</hi> drücken</seg></tuv>'
    "</tu>\n</body></tmx>\n"
)
CONLL_U = (
    "# sent_id = 1\n# text = Ann sees it\n1\tAnn\tAnn\tPROPN\tNNP\t_\t2\tnsubj\t_\tNER=B-PER\n"
    "2\tsees\tsee\tVERB\tVBZ\t_\t0\troot\t_\tNER=O\n2.1\tghost\tghost\tX\t_\t_\t_\t_\t_\t_\n"
    "3-4\tit's\t_\t_\t_\t_\t_\t_\t_\t_\n3\tit\tit\tPRON\tPRP\t_\t2\tobj\t_\tNER=O\n"
    "4\t's\tbe\tAUX\tVBZ\t_\t2\taux\t_\tNER=O\n\n"
)
UNER = (
    "# newdoc id = 1\n# sent_id = 1\n# text = Ann sees Oslo\n1\tAnn\tB-PER\t-\t-\n"
    "2\tsees\tO\t-\t-\n3\tOslo\tB-LOC\t-\t-\n\n"
)
DOCCANO = '{"id": 1, "text": "Ann sees Oslo", "label": [[0, 3, "PER"], [9, 13, "LOC"]]}\n'
TOKENS = '{"tokens": ["Ann", "sees", "Oslo"], "ner_tags": ["B-PER", "O", "B-LOC"]}\n'
ANN_AND_OSLO = (["Ann", "sees", "Oslo"], [("PER", 0, 1), ("LOC", 2, 3)])

TAGGED = {
    "bare.conll": ("New B\nYork I\nis O\n\n", (["New", "York", "is"], [("ENTITY", 0, 2)])),
    "bilou.conll": (
        "New B-LOC\nYork I-LOC\nCity L-LOC\nAnn U-PER\n\n",
        (["New", "York", "City", "Ann"], [("LOC", 0, 3), ("PER", 3, 4)]),
    ),
    "bmes.conll": (
        "张 B-PER\n小 M-PER\n明 E-PER\n在 O\n京 S-LOC\n\n",
        (["张", "小", "明", "在", "京"], [("PER", 0, 3), ("LOC", 4, 5)]),
    ),
    "doccano.jsonl": (DOCCANO, ANN_AND_OSLO),
    "hashtag_token.conll": ("#\tO\nOslo\tB-LOC\n\n", (["#", "Oslo"], [("LOC", 1, 2)])),
    "ideographic_space.conll": ("中\tO\n\u3000\tO\n国\tO\n\n", (["中", "\u3000", "国"], [])),
    "multiconer.conll": (
        "# id f423a88e domain=en\nit _ _ O\nis _ _ O\nOslo _ _ B-LOC\n\n",
        (["it", "is", "Oslo"], [("LOC", 2, 3)]),
    ),
    "nbsp_token.conll": (
        "10\u00a0000 CD I-NP B-NUM\neuros NN I-NP O\n\n",
        (["10\u00a0000", "euros"], [("NUM", 0, 1)]),
    ),
    "next_line_in_token.conll": ("a\u0085b\tO\nc\tO\n\n", (["a\u0085b", "c"], [])),
    "sentence.conllu": (CONLL_U, (["Ann", "sees", "it", "'s"], [("PER", 0, 1)])),
    "tokens.jsonl": (TOKENS, ANN_AND_OSLO),
    "uner.conll": (UNER, ANN_AND_OSLO),
}


@pytest.mark.parametrize("name", TAGGED)
def test_tagged_sentences(tmp_path, name):
    content, sentence = TAGGED[name]
    (tmp_path / name).write_bytes(content.encode("utf-8"))
    assert read_tagged(tmp_path / name) == [sentence]


def test_upos_of_conll_u(tmp_path):
    (tmp_path / "sentence.conllu").write_text(CONLL_U)
    [(_, spans)] = read_tagged(tmp_path / "sentence.conllu", tag_column="UPOS")
    assert [label for label, *_ in spans] == ["PROPN", "VERB", "PRON", "AUX"]


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        (
            "unpaired_quote.tsv",
            b'text\tlabel\n"Fine work\tgood\nDull\tbad\n"also" fine\tgood\n',
            [('"Fine work', "good"), ("Dull", "bad"), ('"also" fine', "good")],
        ),
        (
            "semicolon.csv",
            b'text;label\n"a; b";good\nDull;bad\n',
            [("a; b", "good"), ("Dull", "bad")],
        ),
        (
            "utf16.tsv",
            "\ufefftext\tlabel\nschön\tgood\nfad\tbad\n".encode("utf-16-le"),
            [("schön", "good"), ("fad", "bad")],
        ),
        (
            "fasttext.txt",
            b"__label__good fine work\n__label__bad dull stuff\n",
            [("fine work", "good"), ("dull stuff", "bad")],
        ),
    ],
)
def test_labeled_texts(tmp_path, name, content, rows):
    (tmp_path / name).write_bytes(content)
    assert read_labeled(tmp_path / name) == rows


@pytest.mark.parametrize(
    ("name", "languages", "content", "pairs"),
    [
        (
            "tatoeba.tsv",
            ("en", "es"),
            "1276\tLet's try it.\t2481\tIntentemos.\n"
            "1277\tI have to sleep.\t2482\tTengo que dormir.\n",
            [("Let's try it.", "Intentemos."), ("I have to sleep.", "Tengo que dormir.")],
        ),
        (
            "header_pairs.tsv",
            ("en", "es"),
            "English\tSpanish\nLet's try it.\tIntentemos.\n",
            [("Let's try it.", "Intentemos.")],
        ),
        ("codes.tmx", ("en", "de"), TMX, [("Press OK now", "Jetzt OK drücken")]),
        ("codes.tmx", ("en-US", "de-DE"), TMX, [("Press OK now", "Jetzt OK drücken")]),
    ],
)
def test_pairs(tmp_path, name, languages, content, pairs):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_pairs(*languages, tmp_path / name) == pairs


def test_blank_sides_of_pairs(tmp_path):
    paths = tmp_path / "blank_side.en", tmp_path / "blank_side.de"
    paths[0].write_bytes(b"Save\nOpen\n\nClose\n")
    paths[1].write_bytes("Speichern\n\nLeer\nSchließen\n".encode())
    with data.collect_summaries() as summaries:
        assert read_pairs("en", "de", *paths) == [("Save", "Speichern"), ("Close", "Schließen")]
    assert sum(summaries[0].left_out.values()) == 2


def test_lexicon(tmp_path):
    (tmp_path / "lexicon_cmu.dict").write_bytes(
        b";;; a comment\nREAD  R IY1 D\nREAD(2)  R EH1 D\nread(3) R EH1 D # place, another format\n"
    )
    lexicon = spelling_data.read_lexicons([(None, tmp_path / "lexicon_cmu.dict")], "utf-8")
    assert {word: list(entries) for (_, word), entries in lexicon.items()} == {
        "read": ["R IY1 D", "R EH1 D"]
    }


@pytest.mark.parametrize(
    ("name", "content", "column"),
    [
        ("a.tsv", "English\tSpanish\tEnglish\nYes\tSí\tNo\n", "English"),
        ("a.csv", "source,target,source\nYes,Sí,No\n", "source"),
    ],
)
def test_a_name_twice_in_the_header_of_pairs(tmp_path, name, content, column):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=f"{name}: the header has the name '{column}' twice"):
        read_pairs("en", "es", tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "column"),
    [
        ("a.conllu", "# global.columns = ID FORM FORM MISC\n1\tAda\tAda\tNER=B-X\n\n", "FORM"),
        ("a.csv", "Sentence #,Word,Word,Tag\nSentence: 1,Ada,Ada,B-X\n", "Word"),
    ],
)
def test_a_name_twice_in_the_header_of_tags(tmp_path, name, content, column):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=f"{name}: the header has the name '{column}' twice"):
        read_tagged(tmp_path / name)


def test_a_name_twice_in_other_headers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("word,ipa,ipa\nada,x,y\n")
    with pytest.raises(InputError, match="the header has the name 'ipa' twice"):
        spelling_data.read_lexicons([(None, path)], "utf-8")
    path.write_text("text,label,label\nfine,a,b\n")
    with pytest.raises(InputError, match="the header has the name 'label' twice"):
        read_labeled(path)
    columns = [pyarrow.array(["fine"]), pyarrow.array(["a"]), pyarrow.array(["b"])]
    table = pyarrow.Table.from_arrays(columns, names=["text", "label", "label"])
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(InputError, match="the header has the name 'label' twice"):
        read_labeled(tmp_path / "a.parquet")
