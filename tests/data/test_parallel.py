"""Tests of parallel text: aligned files, tables, JSON lines and translation memories."""

import gzip
import json
from xml.sax.saxutils import escape

import hypothesis
import pytest
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.data import ParallelOptions, collect_summaries, read_parallel_text
from keras_seq.data.languages import normalize_code, parse_language
from keras_seq.data.translation_memory import CODES


def read(folder, contents, source="en", target="es", **options):
    """Write files; return their pairs and what is said of them."""
    paths = [folder / name for name in contents]
    for path, content in zip(paths, contents.values()):
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    with collect_summaries() as summaries:
        pairs = list(read_parallel_text(paths, ParallelOptions(source, target, **options)))
    [summary] = summaries
    assert summary.num_rows == len(pairs)
    return pairs, str(summary).replace(f"{folder}/", "")


TRY_IT = [("Let's try it.", "Intentemos.")]
TMX = (
    '<?xml version="1.0"?>\n<tmx version="1.4"><header creationtool="x" creationtoolversion="1" '
    'segtype="sentence" o-tmf="x" adminlang="en" srclang="en_US" datatype="xml"/><body>\n<tu><tuv '
    'xml:lang="en_US"><seg>Press <bpt i="1">&lt;b&gt;</bpt>OK<ept i="1">&lt;/b&gt;</ept> '
    '<ph>%s</ph>now</seg></tuv><tuv xml:lang="de_DE"><seg>Jetzt <hi>OK</hi> drücken</seg></tuv>'
    "</tu>\n</body></tmx>\n"
)


def test_columns_of_tatoeba(tmp_path):
    content = (
        "1276\tLet's try it.\t2481\tIntentemos.\n1277\tI have to sleep.\t2482\tTengo que dormir.\n"
    )
    pairs, said = read(tmp_path, {"a.tsv": content})
    assert pairs == [*TRY_IT, ("I have to sleep.", "Tengo que dormir.")]
    assert said == (
        "a.tsv: tab-separated text, UTF-8, delimiter tab, no header, source = '2', target = '4'; "
        "2 rows; columns 1 and 3 are numbers"
    )


def test_a_header_of_languages(tmp_path):
    pairs, said = read(tmp_path, {"a.tsv": "English\tSpanish\nLet's try it.\tIntentemos.\n"})
    assert pairs == TRY_IT
    assert ", header, source = 'English', target = 'Spanish'; 1 row" in said


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("en\tes", "{0}\t{1}"),
        ("Source\tTarget", "{0}\t{1}"),
        ("Español\tEnglish", "{1}\t{0}"),
        ("es_MX\ten-US", "{1}\t{0}"),
        ("id\ten\tde\tes", "7\t{0}\tLass uns\t{1}"),
        ("Spanish\tGerman", "{0}\t{1}"),
        ("Spanish\tText", "{1}\t{0}"),
        ("English\tGerman", "{0}\t{1}"),
        ("German\tFrench", "{0}\t{1}"),
    ],
)
def test_headers(tmp_path, header, row):
    content = header + "\n" + row.format(*TRY_IT[0]) + "\n"
    if header == "Spanish\tGerman":  # The second language is unknown; Spanish is the target.
        content = header + "\n" + row.format(*TRY_IT[0][::-1]) + "\n"
    assert read(tmp_path, {"a.tsv": content})[0] == TRY_IT
    commas = content.replace("\t", ",")
    assert read(tmp_path, {"a.csv": commas})[0] == TRY_IT


@pytest.mark.parametrize(
    "first", ["Spanish\tEspañol", "English\tInglés", "Is\tEs", "He\tEl", "No\tNo", "Source\tFuente"]
)
def test_first_rows_that_are_no_headers(tmp_path, first):
    pairs, said = read(tmp_path, {"a.tsv": f"{first}\n{TRY_IT[0][0]}\t{TRY_IT[0][1]}\n"})
    assert pairs == [tuple(first.split("\t")), *TRY_IT] and ", no header, " in said


def test_options_for_columns(tmp_path):
    content = "English\tSpanish\tNote\nLet's try it.\tIntentemos.\tA remark\n"
    for options in ({"columns": "1,2"}, {"columns": "English, Spanish"}):
        assert read(tmp_path, {"a.tsv": content}, **options)[0] == TRY_IT
    assert read(tmp_path, {"a.tsv": content}, columns="3,1")[0] == [("A remark", "Let's try it.")]
    pairs, said = read(tmp_path, {"a.tsv": content}, header=False)
    assert pairs == [("English", "Spanish"), *TRY_IT] and "the first two of 3 columns" in said
    content = "A\tB\nLet's try it.\tIntentemos.\n"
    assert read(tmp_path, {"a.tsv": content}, header=True)[0] == TRY_IT
    assert len(read(tmp_path, {"a.tsv": content})[0]) == 2
    for wrong in ("1,3", "0,1", "A", "A,C", "1,2,3"):
        with pytest.raises(InputError, match=r"--columns .* there are 2 columns: A, B"):
            read(tmp_path, {"a.tsv": content}, columns=wrong)


def test_more_columns(tmp_path):
    rows = [("7", *TRY_IT[0]), ("8", "a", "b")]
    content = "".join("\t".join(row) + "\n" for row in rows)
    assert read(tmp_path, {"a.tsv": content})[0] == [row[1:] for row in rows]
    content = "".join("\t".join([*row[1:], "CC-BY 2.0"]) + "\n" for row in rows)
    assert read(tmp_path, {"a.tsv": content})[0] == [row[1:] for row in rows]


def test_quotes_between_tabs_are_characters(tmp_path):
    pairs = [('"Go!"', '"¡Vete!"'), ('"One', "Uno"), ("two", 'dos"')]
    content = "".join(f"{a}\t{b}\n" for a, b in pairs)
    assert read(tmp_path, {"a.tsv": content})[0] == pairs


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_delimited_pairs(tmp_path, delimiter):
    content = f'"Yes, I; do|"{delimiter}Sí\nNo{delimiter}"""No""\nno"\n'
    pairs, said = read(tmp_path, {"a.csv": content})
    assert pairs == [("Yes, I; do|", "Sí"), ("No", '"No" no')] and "no header" in said
    assert read(tmp_path, {"a.csv": content}, delimiter=delimiter)[0] == pairs
    with pytest.raises(InputError, match="line 4: the row has 3 cells, but others have 2"):
        more = f"a{delimiter}b{delimiter}c" if delimiter != "\t" else "a,b,c"
        content = content if delimiter != "\t" else "a,b\n\n\n"
        read(tmp_path, {"a.csv": content + more}, delimiter=delimiter.replace("\t", ","))


def test_utf_16(tmp_path):
    assert read(tmp_path, {"a.tsv": "Let's try it.\tIntentemos.\r\n".encode("utf-16")})[0] == TRY_IT


def test_blank_sides(tmp_path):
    contents = {"a.en": "Save\nOpen\n\nClose\n", "a.de": "Speichern\n\nLeer\nSchließen\n"}
    expected = [("Save", "Speichern"), ("Close", "Schließen")]
    pairs, said = read(tmp_path, contents, target="de")
    assert pairs == expected
    assert said == (
        "a.en,a.de: aligned lines, UTF-8; 2 rows; left out 1: the translation is blank; left out "
        "1: the source is blank"
    )
    rows = [*zip(*(content.split("\n") for content in contents.values())), ("Save", " Speichern ")]
    table = "".join(f"{text}\t{translation}\n" for text, translation in rows)
    pairs, said = read(tmp_path, {"a.tsv": table}, target="de")
    assert pairs == expected and "; left out 1: repeated pairs" in said
    objects = [{"en": text, "de": translation or None} for text, translation in rows]
    assert read(tmp_path, {"a.json": json.dumps(objects)}, target="de")[0] == expected


@pytest.mark.parametrize(
    "row",
    [
        {"translation": {"en": TRY_IT[0][0], "es": TRY_IT[0][1]}, "id": 1},
        {"en": TRY_IT[0][0], "es": TRY_IT[0][1], "fr": "x"},
        {"en_US": TRY_IT[0][0], "es_MX": TRY_IT[0][1]},
        {"source": TRY_IT[0][0], "target": TRY_IT[0][1]},
        {"text": TRY_IT[0][0], "translation": TRY_IT[0][1]},
        {"English": TRY_IT[0][0], "Spanish": TRY_IT[0][1]},
    ],
    ids=lambda row: " ".join(row),
)
def test_json(tmp_path, row):
    for name, content in (("a.jsonl", f"{json.dumps(row)}\n"), ("a.json", json.dumps([row]))):
        assert read(tmp_path, {name: content})[0] == TRY_IT
    assert read(tmp_path, {"a.jsonl": '{"x": "a", "y": "b"}'}, columns="y,x")[0] == [("b", "a")]


def test_codes_in_translation_memories(tmp_path):
    expected = [("Press OK now", "Jetzt OK drücken")]
    for target in ("de", "de_DE", "de-de"):
        pairs, said = read(tmp_path, {"a.tmx": TMX}, target=target)
        assert pairs == expected
    assert said == "a.tmx: translation memory (TMX), source = 'en-us', target = 'de-de'; 1 row"
    packed = gzip.compress(TMX.encode("utf-8"), mtime=0)
    assert read(tmp_path, {"a.tmx.gz": packed}, target="de")[0] == expected
    with pytest.raises(InputError, match=r"no pairs \(its languages are de-de, en-us; left out 1"):
        read(tmp_path, {"a.tmx": TMX}, target="fr")


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_content_of_codes_is_no_text(tmp_path, code):
    segment = f"<seg>a<{code}>{{1}}<sub>x</sub></{code}>b <hi>c<{code}/></hi>d</seg>"
    broken = f"<seg>e<{code}>&lt;br /></{code}>f</seg>"
    unit = f'<tuv lang="EN">{segment}</tuv><tuv lang="es-es">{broken}</tuv>'
    unit += '<tuv lang="es-MX"><seg>g</seg></tuv>'
    assert read(tmp_path, {"a.tmx": f"<tmx><tu>{unit}</tu></tmx>"})[0] == [("ab cd", "e f")]
    pairs, _ = read(tmp_path, {"a.tmx": f"<tmx><tu>{unit}</tu></tmx>"}, target="es-mx")
    assert pairs == [("ab cd", "g")]


def test_xliff(tmp_path):
    unit = '<source>Press <g id="1">OK</g><x id="2"/> now</source><target>Jetzt OK drücken</target>'
    old = (
        '<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"><file '
        f'source-language="en-US" target-language="de"><body><trans-unit id="1">{unit}<alt-trans>'
        "<target>Anders</target></alt-trans></trans-unit><trans-unit><source>x</source>"
        "</trans-unit></body></file></xliff>"
    )
    new = (
        '<xliff version="2.0" srcLang="en-US" trgLang="de" xmlns="urn:oasis:names:tc:xliff:'
        f'document:2.0"><file><unit><segment>{unit}</segment></unit></file></xliff>'
    )
    for name, content in (("a.xlf", old), ("a.xliff", new)):
        pairs, said = read(tmp_path, {name: content}, target="de")
        assert pairs == [("Press OK now", "Jetzt OK drücken")]
        assert f"{name}: XLIFF, source = 'en-us', target = 'de'; 1 row" in said
        assert read(tmp_path, {name: content}, "de", "en")[0] == [pairs[0][::-1]]
    assert "left out 1: en or de is missing" in read(tmp_path, {"a.xlf": old}, target="de")[1]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"a.tsv": "a\tb\nc\n"}, "a.tsv, line 2: 'c' has no tab; a line needs a text, a tab and"),
        ({"a.tsv": "1\ta\t2\tb\n" * 2 + "3\tc\t4\n"}, "line 3: .* has 3 columns; column 4 has its"),
        ({"a.tsv": "1\teng\tYes.\n2\teng\tNo.\n"}, "column 2 has language codes, not sentences"),
        ({"a.csv": "a,b\nc,d,e\n"}, "a.csv, line 2: the row has 3 cells, but others have 2"),
        ({"a.csv": "a,b\nc,d,e\nf\n"}, "a.csv: the delimiter cannot be detected"),
        ({"a.csv": 'a,b\n"c" d,e\n'}, "a.csv, line 2: the row is not valid CSV"),
        (
            {"a.jsonl": '{"a": "x", "b": "y"}'},
            "line 1: the object has the keys a, b, none of which",
        ),
        ({"a.jsonl": '{"en": "x", "es": ["y"]}'}, "a.jsonl, line 1: 'es' is not a text"),
        ({"a.jsonl": '{"en": "x", "es": "\\ud800"}'}, "line 1: character 1 is half a surrogate"),
        (
            {"a.en": "\n", "a.es": "x\n"},
            r"a.es contains no pairs \(left out 1: the source is blank",
        ),
        (
            {"a.en": "x\ny\n", "a.es": "x"},
            "a.en has 2 lines but .*a.es has 1: line 2 of .*a.en, 'y'",
        ),
        ({"a.tmx": "<tmx>"}, "a.tmx is damaged or is not XML"),
        ({"a.xlf": "x"}, "a.xlf is damaged or is not XML"),
        ({"a.csv": ""}, r"a.csv contains no pairs\."),
    ],
)
def test_what_is_refused(tmp_path, contents, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, contents)


def test_many_languages_in_a_short_error(tmp_path):
    units = "".join(f'<tuv xml:lang="x{number}"><seg>a</seg></tuv>' for number in range(1_000))
    with pytest.raises(InputError, match=r"contains no pairs .its languages are x0, x1") as error:
        read(tmp_path, {"a.tmx": f"<tmx><body><tu>{units}</tu></body></tmx>"})
    assert len(str(error.value)) < 600


def test_languages():
    assert [normalize_code(code) for code in ("en_US", "EN", "zh-Hans", "fra")] == [
        "en-us",
        "en",
        "zh-hans",
        "fr",
    ]
    assert parse_language("Deutsch") == parse_language("GERMAN ") == parse_language("deu") == "de"
    assert [parse_language(text) for text in ("", "Save", "e-mail", "de facto", "it-support")] == [
        None
    ] * 5


SIDES = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
    .map(lambda text: " ".join(text.split()))
    .filter(lambda text: text and text[0] != "\ufeff")
)
PAIRS = st.dictionaries(SIDES, SIDES, min_size=1)


@hypothesis.given(pairs=PAIRS)
def test_written_pairs_are_read(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("pairs")
    units = "".join(
        "<tu>"
        + "".join(
            f'<tuv xml:lang="{code}"><seg>{escape(text)}</seg></tuv>'
            for code, text in zip(("en", "es"), pair)
        )
        + "</tu>"
        for pair in pairs.items()
        if not {"\ufffe", "\uffff"} & {*"".join(pair)}
    )
    expected = [*pairs.items()]
    objects = [{"translation": {"en": a, "es": b}} for a, b in expected]
    for contents in (
        {"a.en": "\n".join(pairs), "a.es": "\n".join(pairs.values())},
        {"a.tsv": "".join(f"{a}\t{b}\n" for a, b in expected)},
        {"a.jsonl": "\n".join(map(json.dumps, objects))},
        {"a.json": json.dumps(objects, ensure_ascii=False)},
    ):
        assert read(folder, contents, header=False)[0] == expected
    if units.count("<tu>") == len(pairs):
        assert read(folder, {"a.tmx": f"<tmx>{units}</tmx>"})[0] == expected
