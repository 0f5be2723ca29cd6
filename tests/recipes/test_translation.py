"""Recipe `translation`: catalogs, mocked TFDS datasets, file formats, training and metrics."""

import json

import polib
import pytest
from keras_seq_recipes.translation import catalogs, data, metric, model
from keras_seq_recipes.translation.config import LANGUAGES, Config

from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.batching import RawExamples
from keras_seq.data import collect_summaries
from keras_seq.models import seq2seq_search

SMALL = ["--units", "8", "--embedding-dim", "6", "--steps", "2", "--batch-size", "8"]
SMALL += ["--vocab-size", "60"]
PAIRS = [
    (f"{verb} the {colour} {thing}", f"{acte} le {chose} {couleur}")
    for verb, acte in (("Open", "Ouvrir"), ("Close", "Fermer"), ("Delete", "Supprimer"))
    for colour, couleur in (("red", "rouge"), ("green", "vert"), ("blue", "bleu"))
    for thing, chose in (("file", "fichier"), ("book", "livre"), ("door's key", "crayon"))
]


def catalog_bytes(pairs, fuzzy=(), as_text=False):
    """Return a catalog of pairs, with two entries that have a plural."""
    catalog = polib.POFile()
    catalog.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
    for number, (text, translation) in enumerate(pairs):
        catalog.append(polib.POEntry(msgid=text, msgstr=translation, msgctxt=str(number)))
    for singular, plural, un, des in (
        ("%(n)s file", "%(n)s files", "%(n)s fichier", "%(n)s fichiers"),
        ("One last  file", "Some last files", "Un dernier fichier", "Des derniers fichiers"),
    ):
        catalog.append(
            polib.POEntry(msgid=singular, msgid_plural=plural, msgstr_plural={0: un, 1: des})
        )
    for text in fuzzy:
        catalog.append(polib.POEntry(msgid=text, msgstr="peut-être pas", flags=["fuzzy"]))
    return str(catalog).encode() if as_text else catalog.to_binary()


LAST = [("One last file", "Un dernier fichier"), ("Some last files", "Des derniers fichiers")]


def test_reading_catalogs():
    pairs = [("Hello\nyou", "Bonjour toi"), ("Not said", "")]
    for as_text, read in ((False, catalogs.read_mo), (True, catalogs.read_po)):
        pairs_read = read(catalog_bytes(pairs, ["Perhaps so"], as_text), "x")
        assert set(pairs_read) == {
            ("Hello you", "Bonjour toi"),
            ("%(n)s file", "%(n)s fichier"),
            ("%(n)s files", "%(n)s fichiers"),
            *LAST,
        }
    with pytest.raises(InputError, match=r"x\.mo is damaged or is not a catalog"):
        catalogs.read_mo(b"nothing", "x.mo")
    with pytest.raises(InputError, match=r"x\.po is damaged or is not a catalog"):
        catalogs.read_po(b"msgid\nmsgfoo", "x.po")


def test_what_is_left_out_of_catalogs_is_counted(workplace):
    pairs = [
        ("Hello you", "Bonjour"),
        ("Not said", ""),
        ("Nor this", ""),
        ("Hello  you", "Bonjour"),
    ]
    content = catalog_bytes(pairs, ["Perhaps so"], as_text=True)
    (workplace / "fr.po").write_bytes(content + b'\n#~ msgid "Old text"\n#~ msgstr "Ancien"\n')
    with collect_summaries() as summaries:
        read = list(data.read_pairs([workplace / "fr.po"], Config(data="fr.po")))
    assert len(read) == summaries[0].num_rows == 5
    assert summaries[0].left_out == {
        "untranslated texts": 2,
        "fuzzy entries": 1,
        "obsolete entries": 1,
        "repeated pairs": 1,
    }
    (workplace / "none.po").write_text('msgid "Not said"\nmsgstr ""\n')
    with pytest.raises(InputError, match=r"no pairs \(left out 1: untranslated texts\)"):
        list(data.read_pairs([workplace / "none.po"], Config(data="none.po")))


@pytest.fixture
def wheels(monkeypatch):
    """Replace downloads: every wheel has a French catalog; that of Django has more languages."""
    packages = []

    def read(package, version, sha256, wanted):
        packages.append(package)
        pairs = {
            "django": [("Open it", "Ouvrez"), ("Open it", "Ouvrir"), ("Save <b>", "Sauver <b>")],
            "wagtail": [("open it", "Ouvrir donc"), ("Close all", "Fermer tout")],
        }.get(package, [("Open it", "Ouvrir donc"), ("Too " + "long " * 20, "Trop long")])
        files = {"a/locale/fr_FR/LC_MESSAGES/a.mo": catalog_bytes(pairs), "a/locale/fr/a.py": b""}
        if package == "django":
            files["b/locale/br/LC_MESSAGES/a.mo"] = catalog_bytes(pairs)
            files["b/locale/en/LC_MESSAGES/a.mo"] = catalog_bytes([])
            files["b/locale/pt_BR/LC_MESSAGES/a.mo"] = catalog_bytes([])
        return {path: content for path, content in files.items() if wanted(path)}

    monkeypatch.setattr(catalogs.data, "read_from_wheel", read)
    return packages


def test_builtin_pairs(wheels, workplace, capsys):
    pairs_read = catalogs.read_builtin_pairs("fr")
    # The most frequent translation counts. Short and long texts and markup are left out.
    assert sorted(pairs_read) == sorted(
        [("Open it", "Ouvrir donc"), ("Close all", "Fermer tout"), *LAST]
    )
    assert "jupyterlab-language-pack-fr-FR" in wheels
    assert "jupyterlab-language-pack-de-DE" not in wheels
    wheels.clear()
    assert cli.main(["train", "translation", "--target", "tlh"]) == 2
    assert "no built-in translation to --target 'tlh'" in capsys.readouterr().err
    assert cli.main(["train", "translation", "--source", "la"]) == 2
    assert "catalogs have only English texts" in capsys.readouterr().err
    assert wheels == []


@pytest.mark.slow
def test_the_languages_are_those_of_the_first_wheel():
    wheel = catalogs.WHEELS[0]
    files = catalogs.data.read_from_wheel(*wheel[:3], catalogs.CATALOG.search)
    assert {catalogs._language(path) for path in files} - {"en"} == LANGUAGES


def write(folder, kind):
    """Write the pairs to files, and return the value of --data."""
    lines = ["\t".join(pair) for pair in PAIRS]
    if kind == "table":
        (folder / "mine.tsv").write_text("\n".join([*lines, "", lines[0]]))
        return "mine.tsv"
    if kind in ("two files", "a folder"):
        (folder / "own").mkdir()
        for n, language in enumerate(("en", "fr")):
            for split, part in (("train", PAIRS[5:]), ("test", PAIRS[:5])):
                text = "\n".join(pair[n] for pair in (PAIRS if kind == "two files" else part))
                (folder / f"own/{split}.{language}").write_text(text + "\n\n")
        return "own" if kind == "a folder" else "own/train.en,own/train.fr"
    if kind in ("mine.po", "mine.mo"):
        (folder / kind).write_bytes(catalog_bytes(PAIRS, as_text=kind == "mine.po"))
        return kind
    units = "".join(
        f'<tu><tuv xml:lang="en-US"><seg>{a}</seg></tuv><tuv lang="FR"><seg>{b}</seg></tuv></tu>'
        for a, b in PAIRS
    )
    (folder / "mine.tmx").write_text(f"<tmx><body>{units}<tu/></body></tmx>")
    return "mine.tmx"


@pytest.mark.parametrize("kind", ["table", "two files", "a folder", "mine.po", "mine.mo", "tmx"])
def test_file_formats(workplace, kind):
    splits = data.load(Config(data=write(workplace, kind)))
    pairs_read = [pair for split in splits.values() for pair in zip(split.inputs, split.targets)]
    more = LAST + [(f"%(n)s file{s}", f"%(n)s fichier{s}") for s in ("", "s")]
    assert sorted(pairs_read) == sorted(PAIRS + (more if kind in ("mine.po", "mine.mo") else []))
    if kind == "a folder":
        assert sorted(splits["test"].inputs) == sorted(text for text, _ in PAIRS[:5])


@pytest.mark.slow
def test_own_pairs_end_to_end(workplace, capsys, monkeypatch):
    monkeypatch.setattr(metric, "BEAM_WIDTHS", (1, 5))
    # An untrained model may never produce the end token, so the length is limited.
    monkeypatch.setattr(seq2seq_search, "max_target_lengths", lambda ids: 4 + 0 * ids[:, 0])
    content = [*("\t".join(pair) for pair in PAIRS), "word " * 2_000 + "\tlong"]
    (workplace / "mine.tsv").write_text("\n".join(content))
    assert cli.main(["train", "translation", "--data", "mine.tsv", *SMALL]) == 0
    assert "Left out 1 of" in capsys.readouterr().err
    folder = workplace / "runs/translation/default"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert 0 <= metrics["test"]["bleu"] <= 100 and 0 <= metrics["test"]["chrf"] <= 100
    assert "tok:13a" in metrics["report"]["signatures"]["bleu"]
    assert metrics["report"]["beam"]["5"] == metrics["test"]
    assert len((folder / "translations.tsv").read_text().splitlines()) > 1
    assert cli.main(["predict", str(folder), "Open the zebra", ""]) == 0
    assert "translation" in capsys.readouterr().out
    assert cli.main(["predict", str(folder), "Open", "--beam-width", "0"]) == 2
    assert "--beam-width must be an integer of at least 1, got 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tokenizer", "tokens"),
    [
        ("wordpiece", ["▁Open", "▁the", "▁", "x"]),
        ("word_metaspace", ["▁Open", "▁the", "▁x"]),
        ("char", list("Open the x")),
    ],
)
def test_tokenizers(tokenizer, tokens):
    config = Config(tokenizer=tokenizer, units=4, embedding_dim=4, vocab_size=200)
    train = RawExamples(*map(list, zip(*PAIRS)))
    seq2seq = model.build(config, train)
    assert seq2seq.source_encoder.tokenize("Open the x") == tokens
    assert len(model.encode(seq2seq, train)) == len(PAIRS)


def test_mocked_tfds_datasets(workplace, mock_public, capsys):
    with mock_public(num_examples=9):
        splits = data.load(Config(data="tfds:ted_hrlr_translate/pt_to_en", source="pt"))
        assert len(splits["train"].inputs) == len(splits["train"].targets) == 9
        assert cli.main(["train", "translation", "--data", "tfds:ted_hrlr_translate/ru_to_pt"]) == 2
        assert "it needs the languages of --source" in capsys.readouterr().err
        splits = data.load(Config(data="tfds:wmt14_translate/fr-en"))
        assert set(splits) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a.en": "one\ntwo\nthree\nfour", "a.fr": "un\ndeux"},
            "a.en has 4 lines but a.fr has 2: line 3 of a.en, 'three', has no counterpart",
        ),
        (
            {"a.en": "one", "a.fr": "un\ndeux"},
            "a.en has 1 lines but a.fr has 2: line 2 of a.fr, 'deux', has no counterpart",
        ),
        ({"a.en": "\n\n", "a.fr": "\ndeux"}, "contains no pairs (left out 1: the source is blank)"),
        ({"a.tsv": "two\t \n"}, "contains no pairs (left out 1: the translation is blank)"),
        ({"a.tsv": "one\tun\ntwo\n"}, "a.tsv, line 2: 'two' has no tab"),
        ({"a.tsv": "\n"}, "a.tsv contains no pairs"),
        ({"a.tmx": "<tmx>"}, "a.tmx is damaged or is not XML"),
        ({"a.po": "nonsense"}, "a.po is damaged or is not a catalog"),
        ({"a.en": "one", "b.fr": "un", "c.fr": "un"}, "at most two aligned files, got 3"),
        ({}, "There is no file or folder no.txt"),
    ],
)
def test_invalid_files(workplace, capsys, files, message):
    for name, text in files.items():
        (workplace / name).write_text(text)
    where = ",".join(files) or "no.txt"
    assert cli.main(["train", "translation", "--data", where, *SMALL]) == 2
    assert message in capsys.readouterr().err
    assert not (workplace / "runs").exists()


def test_options_for_columns(workplace, capsys):
    (workplace / "a.tsv").write_text("A;B\none;un\n")
    assert data.load(Config(data="a.tsv", header=True, delimiter=";"))
    options = ["--data", "a.tsv", "--delimiter", "semicolon", "--header", "--columns", "1,3"]
    assert cli.main(["train", "translation", *options, *SMALL]) == 2
    assert "--columns 1,3 must be two names or numbers" in capsys.readouterr().err


def test_three_files_for_a_split(workplace):
    for ending in ("en", "fr", "de"):
        (workplace / f"train.{ending}").write_text("a")
    with pytest.raises(InputError, match=r"it needs one file, or two that end in \.en and \.fr"):
        data.load(Config(data=str(workplace)))


def test_scores():
    scores, signatures = metric.compute_scores(
        ["the cat sat on the mat"], ["the cat sat on the mat"]
    )
    assert scores["bleu"] == pytest.approx(100) and scores["chrf"] == pytest.approx(100)
    assert metric.compute_scores(["zzz"], ["the cat sat on the mat"])[0]["chrf"] < 5
    assert set(signatures) == {"bleu", "chrf"} and "version:" in signatures["chrf"]
