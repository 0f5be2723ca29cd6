"""Small valid files of every supported format, and their readers."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SENTENCES = ("Ada lived in New York.", "A good film, and a short one.", "Über «alles» geht 北京.")
CONLL = "-DOCSTART- O\n\nAda\tB-PER\nlived\tO\nin\tO\nYork\tB-LOC\n\nGood\tO\nday\tO\n"
WORD_TAGS = "19980101-01-001-001/m  [中央/n  电视台/n]nt  江/nr  泽民/nr  在/p  北京/ns  。/w\n" * 3
VECTORS = "3 4\nAda 0.1 -0.2 0.3 4e-1\nlived 1 2 3 4\nin 0 0 0 1\n"
FASTA = ">one first\nACGTNACGTACGT\nACGT\n>two\nGGGCCCAAATTT\n"
LEXICON = "ada\tEY D AH\nlived\tL IH V D\nada\tAA D AH\n"
CMU_LEXICON = ";;; a comment\nREAD  R IY1 D\nREAD(2)  R EH1 D\nread(3) R EH1 D # place\n"
FASTTEXT = "__label__good fine work\n__label__bad dull stuff\n"
TATOEBA = "1276\tLet's try.\t2481\tVersuchen wir es.\n1277\tI sleep.\t2482\tIch schlafe.\n"
XLIFF = (
    '<xliff version="1.2"><file source-language="en" target-language="de"><trans-unit><source>'
    'Press <x id="1"/>OK</source><target>Jetzt OK</target></trans-unit></file></xliff>'
)
PAIRS = "Press OK now\tJetzt OK drücken\nSave\tSpeichern\nClose the file\tDie Datei schließen\n"
PO = (
    'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n#, fuzzy\nmsgid "Old"\n'
    'msgstr "Alt"\n\nmsgid "Save the file"\nmsgstr "Die Datei speichern"\n\nmsgid "one file"\n'
    'msgid_plural "%d files"\nmsgstr[0] "eine Datei"\nmsgstr[1] "%d Dateien"\n'
)
UNIT = (
    '<tu><tuv xml:lang="en"><seg>Save <bpt i="1"/>the file</seg></tuv>'
    '<tuv xml:lang="de"><seg>Die Datei speichern</seg></tuv></tu>'
)
TMX = (
    '<?xml version="1.0" encoding="utf-8"?><tmx version="1.4"><header srclang="en"/>'
    f"<body>{UNIT * 3}</body></tmx>"
)
ABC = (
    "%abc-2.1\nX:1\nT:One\nM:6/8\nL:1/8\nK:Edor\n|:B|(E2e) dcB|A^cd [e3g3]-|{f}e!trill!g=f c2z:|\n"
    '\nX:2\nT:Two\nM:3/4\nQ:1/4=100\nK:G\nV:1\n"G"GAB c2d|[M:2/4](3efg a>b|1 G4:|2 Z2|]\n'
)
NOTE = (
    "<note><pitch><step>{}</step><alter>1</alter><octave>4</octave></pitch><duration>2</duration>"
    "<voice>1</voice><type>quarter</type></note>"
)
MUSICXML = (
    '<?xml version="1.0" encoding="UTF-8"?><score-partwise version="3.0"><part-list>'
    '<score-part id="P1"><part-name>Voice</part-name></score-part></part-list><part id="P1">'
    '<measure number="1"><attributes><divisions>2</divisions><key><fifths>1</fifths>'
    "<mode>major</mode></key><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
    f"{''.join(map(NOTE.format, 'CDEF'))}</measure>"
    '<measure number="2"><note><rest/><duration>8</duration></note>'
    '<barline location="right"><repeat direction="backward"/></barline></measure>'
    "</part></score-partwise>"
)


class Reader(NamedTuple):
    """Function that reads a file, and contents of valid files by suffix."""

    read: Callable[[Path], Any]
    contents: Callable[[], dict[str, bytes]]


def write_seeds(folder: Path) -> dict[str, list[Path]]:
    """Write the valid files of all readers.

    Returns:
        Files by reader.
    """
    folder.mkdir()
    files: dict[str, list[Path]] = {}
    for name, reader in READERS.items():
        for suffix, content in reader.contents().items():
            path = folder / f"{name}{suffix}"
            path.write_bytes(content)
            files.setdefault(name, []).append(path)
    return files


def _texts(*suffixes: str, text: str) -> Callable[[], dict[str, bytes]]:
    """Return contents with a text, compressed for suffixes ending in .gz."""

    def contents() -> dict[str, bytes]:
        raw = text.encode("utf-8")
        return {s: gzip.compress(raw, mtime=0) if s.endswith(".gz") else raw for s in suffixes}

    return contents


def _table(delimiter: str) -> str:
    rows = [("text", "label", "note"), *((text, "good", "a b") for text in SENTENCES)]
    quote = "{}" if delimiter == "\t" else '"{}"'
    return "".join(delimiter.join(map(quote.format, row)) + "\n" for row in rows)


def _objects() -> str:
    span = {"start": 0, "end": 3, "label": "PER"}
    objects: list[dict[str, Any]] = [
        {"text": "Ada lived", "label": 1, "spans": [span]},
        {"text": "x", "label": "b"},
    ]
    return "".join(json.dumps({"spans": [], **row}) + "\n" for row in objects)


def _array() -> str:
    return json.dumps([json.loads(line) for line in _objects().splitlines()], indent=1)


def _read_table(path: Path) -> Any:
    from keras_seq import data

    return list(data.read_table(path, {"text": "text", "label": "label"}))


def _read_labeled(path: Path) -> Any:
    from keras_seq import data

    return list(data.read_labeled_texts([data.LabeledFile(path, None, None)]))


def _read_spans(path: Path) -> Any:
    from keras_seq import data
    from keras_seq.text.tokenizers import TOKENIZERS

    return data.read_spans(path, TOKENIZERS["word"])


def _read_tagged(path: Path) -> Any:
    """Read a file of any tagged format, as the recipe does."""
    from keras_seq_recipes.ner import config, data

    return [list(sentences) for _, sentences in data.read_files([path], config.Config())]


def _read_text(path: Path) -> Any:
    from keras_seq_recipes.language_model import data

    from keras_seq.data import read_lines

    return data.split_paragraphs("\n".join(line for _, line in read_lines(path)))


def _read_vectors(path: Path) -> Any:
    from keras_seq.data.vectors import read_vectors

    return read_vectors(path, {"Ada", "lived"})


def _read_fasta(path: Path) -> Any:
    from keras_seq_recipes.dna import fasta

    return list(fasta.read_fasta(path))


def _read_lexicon(path: Path) -> Any:
    from keras_seq_recipes.spelling import data

    return data.read_lexicons([(None, path)], "utf-8")


def _read_pairs(path: Path) -> Any:
    from keras_seq_recipes.translation import config, data

    return data.read_pairs([path], config.Config(source="en", target="de"))


def _read_aligned(path: Path) -> Any:
    from keras_seq_recipes.translation import config, data

    other = path.with_name("other.de")
    other.write_text("".join(text + "\n" for text in SENTENCES), encoding="utf-8")
    return data.read_pairs([path, other], config.Config(source="en", target="de"))


def _read_tunes(path: Path) -> Any:
    from keras_seq_recipes.music import data, notation

    sources = data.split_abc_file(path, "", None)
    return [notation.abc_to_tokens(text, where) for where, text, *_ in sources]


def _read_score(path: Path) -> Any:
    from keras_seq_recipes.music import notation, scores

    return notation.score_to_tokens(scores.parse_file(path), where=path)


def _read_sound(path: Path) -> Any:
    from keras_seq.data.audio import read_audio

    return read_audio(path, 16_000)


def _read_picture(path: Path) -> Any:
    from keras_seq_recipes.mnist_rows.images import read_digit

    return read_digit(path)


def _read_video(path: Path) -> Any:
    from keras_seq.data import read_video

    return read_video(path, (16, 16, 3))


def _catalogs() -> dict[str, bytes]:
    import polib

    return {".po": PO.encode("utf-8"), ".mo": polib.pofile(PO).to_binary()}


def _scores() -> dict[str, bytes]:
    import pretty_midi

    midi, track = pretty_midi.PrettyMIDI(), pretty_midi.Instrument(0)
    track.notes = [pretty_midi.Note(90, 60 + n, n / 2, n / 2 + 0.4) for n in range(12)]
    midi.instruments.append(track)
    midi.time_signature_changes.append(pretty_midi.TimeSignature(3, 4, 0))
    midi.key_signature_changes.append(pretty_midi.KeySignature(2, 0))
    notes, archive = io.BytesIO(), io.BytesIO()
    midi.write(notes)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("META-INF/container.xml", "<container/>")
        file.writestr("score.xml", MUSICXML)
    xml = MUSICXML.encode("utf-8")
    return {".mid": notes.getvalue(), ".musicxml": xml, ".mxl": archive.getvalue()}


def _sounds() -> dict[str, bytes]:
    import soundfile

    samples = 0.5 * np.sin(np.arange(4_000) / 7)
    contents = {}
    for suffix in ("wav", "flac", "ogg", "mp3", "aiff", "au"):
        file = io.BytesIO()
        soundfile.write(file, np.stack([samples, samples], axis=1), 8_000, format=suffix)
        contents[f".{suffix}"] = file.getvalue()
    return contents


def _pictures() -> dict[str, bytes]:
    from PIL import Image

    rows = np.arange(40 * 40 * 3).reshape(40, 40, 3) % 251
    contents = {}
    for suffix in ("png", "jpeg", "gif", "bmp", "tiff", "webp"):
        file = io.BytesIO()
        Image.fromarray(rows.astype("uint8")).save(file, suffix)
        contents[f".{suffix}"] = file.getvalue()
    return contents


def _videos() -> dict[str, bytes]:
    import av

    contents = {}
    for suffix, container, codec, pixels in (
        (".mp4", "mp4", "mpeg4", "yuv420p"),
        (".avi", "avi", "mpeg4", "yuv420p"),
        (".mkv", "matroska", "mpeg4", "yuv420p"),
        (".gif", "gif", "gif", "rgb8"),
    ):
        file = io.BytesIO()
        with av.open(file, "w", format=container) as output:
            stream: Any = output.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 32, 24, pixels
            for level in range(0, 200, 20):
                picture = np.full((24, 32, 3), level, "uint8")
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
        contents[suffix] = file.getvalue()
    return contents


READERS = {
    "columns": Reader(_read_tagged, _texts(".conll", ".conll.gz", text=CONLL)),
    "words": Reader(_read_tagged, _texts(".txt", text=WORD_TAGS)),
    "spans": Reader(_read_spans, _texts(".jsonl", text=_objects())),
    "comma table": Reader(_read_table, _texts(".csv", ".csv.gz", text=_table(","))),
    "tab table": Reader(_read_table, _texts(".tsv", ".tsv.gz", text=_table("\t"))),
    "semicolon table": Reader(_read_table, _texts(".csv", text=_table(";"))),
    "JSON array": Reader(_read_table, _texts(".json", text=_array())),
    "labeled texts": Reader(_read_labeled, _texts(".txt", ".txt.gz", text=FASTTEXT)),
    "JSON lines": Reader(_read_table, _texts(".jsonl", ".jsonl.gz", text=_objects())),
    "text": Reader(_read_text, _texts(".txt", ".txt.gz", text="\n\n".join(SENTENCES))),
    "vectors": Reader(_read_vectors, _texts(".vec", ".vec.gz", text=VECTORS)),
    "FASTA": Reader(_read_fasta, _texts(".fa", ".fa.gz", text=FASTA)),
    "lexicon": Reader(_read_lexicon, _texts(".dict", text=LEXICON)),
    "CMU lexicon": Reader(_read_lexicon, _texts(".dict", text=CMU_LEXICON)),
    "pairs": Reader(_read_pairs, _texts(".tsv", text=PAIRS)),
    "numbered pairs": Reader(_read_pairs, _texts(".tsv", text=TATOEBA)),
    "XLIFF": Reader(_read_pairs, _texts(".xlf", text=XLIFF)),
    "aligned text": Reader(_read_aligned, _texts(".en", text="".join(f"{s}\n" for s in SENTENCES))),
    "catalog": Reader(_read_pairs, _catalogs),
    "memory": Reader(_read_pairs, _texts(".tmx", text=TMX)),
    "ABC": Reader(_read_tunes, _texts(".abc", text=ABC)),
    "score": Reader(_read_score, _scores),
    "sound": Reader(_read_sound, _sounds),
    "picture": Reader(_read_picture, _pictures),
    "video": Reader(_read_video, _videos),
}
