"""Small valid files of every supported format, and their readers."""

import io
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import fuzzing_speech
from benchmarks import fuzzing_texts as texts


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
    return lambda: texts.compress(text, *suffixes)


def _read_table(path: Path) -> Any:
    from keras_seq import data

    return list(data.read_table(path, {"text": "text", "label": "label"}))


def _read_numbered_table(path: Path) -> Any:
    from keras_seq import data

    return list(data.read_table(path, {"text": "1", "label": "2"}))


def _read_labeled(path: Path) -> Any:
    from keras_seq import data

    return list(data.read_labeled_texts([data.LabeledFile(path, None, None)]))


def _read_folder(path: Path) -> Any:
    """Read a file as one text in a folder with a sub-folder per class."""
    from keras_seq import data

    with tempfile.TemporaryDirectory(prefix=f"{path.stem}_", dir=path.parent) as folder:
        for label in ("pos", "neg"):
            file = Path(folder, label, path.name)
            file.parent.mkdir()
            file.symlink_to(path)
        return list(data.read_labeled_texts(data.list_labeled_files(folder)))


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
    from keras_seq_recipes.dna import sequences

    return list(sequences.SequenceFile(path))


def _read_sequences(path: Path) -> Any:
    """Read a file of sequences with their classes, as the recipe does."""
    from keras_seq_recipes.dna import config, files

    return list(files.read_files([files.DataFile(path, None, None)], config.Config()))


def _read_lexicon(path: Path) -> Any:
    from keras_seq_recipes.spelling import data

    return data.read_lexicons([(None, path)], "utf-8")


def _read_pairs(path: Path) -> Any:
    from keras_seq_recipes.translation import config, data

    return [*data.read_pairs([path], config.Config(source="en", target="de"))]


def _read_aligned(path: Path) -> Any:
    from keras_seq_recipes.translation import config, data

    other = path.with_name("other.de")
    other.write_text("".join(text + "\n" for text in texts.SENTENCES), encoding="utf-8")
    return [*data.read_pairs([path, other], config.Config(source="en", target="de"))]


def _read_tunes(path: Path) -> Any:
    """Read a file of tunes of any format, as the recipe does."""
    from keras_seq_recipes.music import sources

    return list(sources.read_tunes(path, [(path, "style", None)]))


def _read_sound(path: Path) -> Any:
    from keras_seq.data.audio import read_audio

    return read_audio(path, 16_000)


def _read_picture(path: Path) -> Any:
    from keras_seq_recipes.mnist_rows.images import read_digit

    return read_digit(path)


def _read_video(path: Path) -> Any:
    from keras_seq.data import read_video

    return read_video(path, (16, 16, 3))


def _read_frames(path: Path) -> Any:
    """Read an image as one frame of a folder."""
    from keras_seq.data import read_video

    with tempfile.TemporaryDirectory(prefix=f"{path.stem}_", dir=path.parent) as folder:
        for number in (2, 10):
            Path(folder, f"frame{number}{path.suffix}").symlink_to(path)
        return read_video(folder, (16, 16, 3))


def _catalogs() -> dict[str, bytes]:
    import polib

    return {".po": texts.PO.encode("utf-8"), ".mo": polib.pofile(texts.PO).to_binary()}


def _midi() -> dict[str, bytes]:
    import mido

    contents = {}
    for kind, suffix in ((0, ".mid"), (1, ".midi")):
        file = mido.MidiFile(type=kind, ticks_per_beat=96)
        for channel in (9, 0)[1 - kind :]:
            track = mido.MidiTrack([mido.MetaMessage("track_name", name="Melody")])
            track.append(mido.MetaMessage("time_signature", numerator=3, denominator=4))
            track.append(mido.MetaMessage("key_signature", key="D"))
            track.append(mido.Message("note_on", note=48, velocity=64, channel=channel))
            for pitch in range(60, 72):
                track.append(mido.Message("note_on", note=pitch, velocity=64, channel=channel))
                track.append(mido.Message("note_on", note=pitch, velocity=0, time=48 + pitch % 3))
            file.tracks.append(track)
        content = io.BytesIO()
        file.save(file=content)
        contents[suffix] = content.getvalue()
    riff = b"RIFF" + bytes(4) + b"RMIDdata" + bytes(4)
    return {**contents, ".rmi": riff + contents[".mid"]}


def _scores() -> dict[str, bytes]:
    archive = io.BytesIO()
    container = '<container><rootfiles><rootfile full-path="score.xml"/></rootfiles></container>'
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("META-INF/container.xml", container)
        file.writestr("score.xml", texts.MUSICXML)
    return {".musicxml": texts.MUSICXML.encode("utf-8"), ".mxl": archive.getvalue()}


def _pictures() -> dict[str, bytes]:
    from PIL import Image

    rows = np.arange(40 * 40 * 3).reshape(40, 40, 3) % 251
    contents = {}
    for suffix in ("png", "jpeg", "gif", "bmp", "tiff", "webp"):
        file = io.BytesIO()
        Image.fromarray(rows.astype("uint8")).save(file, suffix)
        contents[f".{suffix}"] = file.getvalue()
    return contents


def _frames() -> dict[str, bytes]:
    return {suffix: content for suffix, content in _pictures().items() if suffix != ".gif"}


def _picture_modes() -> dict[str, bytes]:
    """Return a dark bar on light paper in all modes that PNG and TIFF have, and with metadata."""
    from PIL import Image

    gray = np.full((20, 12), 230, "uint8")
    gray[4:16, 5:8] = 20
    image = Image.fromarray(gray)
    images = {f".{mode.lower()}.png": image.convert(mode) for mode in ("1", "LA", "P", "RGBA")}
    images[".i16.png"] = Image.fromarray(gray.astype("uint16") * 257)
    images |= {f".{mode.lower()}.tiff": image.convert(mode) for mode in ("CMYK", "F", "I", "LAB")}
    images[".exif.jpg"] = images[".animated.png"] = images[".animated.gif"] = image
    exif = Image.Exif()
    exif[0x0112] = 6
    options: dict[str, dict[str, Any]] = {
        ".p.png": {"transparency": 0},
        ".exif.jpg": {"exif": exif},
        ".animated.png": {"save_all": True, "append_images": [image.rotate(90)]},
        ".animated.gif": {"save_all": True, "append_images": [image.rotate(90)]},
    }
    contents = {}
    for suffix, picture in images.items():
        file = io.BytesIO()
        file_format = {"jpg": "jpeg"}.get(kind := suffix.rpartition(".")[2], kind)
        picture.save(file, file_format, **options.get(suffix, {}))
        contents[suffix] = file.getvalue()
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
    "columns": Reader(_read_tagged, _texts(".conll", ".conll.gz", text=texts.CONLL)),
    "tag schemes": Reader(_read_tagged, texts.tagged_columns),
    "CoNLL-U": Reader(_read_tagged, _texts(".conllu", ".conllu.gz", text=texts.CONLL_U)),
    "UNER": Reader(_read_tagged, _texts(".iob2", text=texts.UNER)),
    "MultiCoNER": Reader(_read_tagged, _texts(".conll", text=texts.MULTICONER)),
    "words": Reader(_read_tagged, _texts(".txt", text=texts.WORD_TAGS)),
    "token table": Reader(_read_tagged, _texts(".csv", ".csv.gz", text=texts.KAGGLE)),
    "tagged JSON": Reader(_read_tagged, texts.tagged_objects),
    "spans": Reader(_read_spans, _texts(".jsonl", text=texts.make_objects())),
    "comma table": Reader(_read_table, _texts(".csv", ".csv.gz", text=texts.make_table(","))),
    "tab table": Reader(_read_table, _texts(".tsv", ".tsv.gz", text=texts.make_table("\t"))),
    "semicolon table": Reader(_read_table, _texts(".csv", text=texts.make_table(";"))),
    "bar table": Reader(_read_table, _texts(".csv", text=texts.make_table("|"))),
    "bare table": Reader(_read_numbered_table, _texts(".csv", text=texts.make_table(",", False))),
    "Parquet": Reader(_read_table, texts.parquet_table),
    "JSON array": Reader(_read_table, _texts(".json", text=texts.make_array(texts.make_objects()))),
    "JSON lines": Reader(_read_table, _texts(".jsonl", ".jsonl.gz", text=texts.make_objects())),
    "labeled texts": Reader(_read_labeled, _texts(".txt", ".txt.gz", text=texts.FASTTEXT)),
    "labeled folder": Reader(_read_folder, _texts(".txt", ".txt.gz", text=texts.REVIEW)),
    "text": Reader(_read_text, _texts(".txt", ".txt.gz", text="\n\n".join(texts.SENTENCES))),
    "vectors": Reader(_read_vectors, _texts(".vec", ".vec.gz", text=texts.VECTORS)),
    "FASTA": Reader(_read_fasta, _texts(".fa", ".fa.gz", text=texts.FASTA)),
    "FASTQ": Reader(_read_fasta, _texts(".fastq", ".fq.gz", text=texts.FASTQ)),
    "FASTA classes": Reader(_read_sequences, _texts(".fa", ".fq.gz", text=texts.FASTA_CLASSES)),
    "sequence table": Reader(_read_sequences, _texts(".csv", ".tsv.gz", text=texts.SEQUENCES)),
    "lexicon": Reader(_read_lexicon, _texts(".dict", text=texts.LEXICON)),
    "CMU lexicon": Reader(_read_lexicon, _texts(".dict", text=texts.CMU_LEXICON)),
    "IPA lexicon": Reader(_read_lexicon, _texts(".csv", text=texts.LEXICON_WITH_SLASHES)),
    "MFA lexicon": Reader(_read_lexicon, _texts(".dict", text=texts.LEXICON_WITH_NUMBERS)),
    "pairs": Reader(_read_pairs, _texts(".tsv", text=texts.PAIRS)),
    "named pairs": Reader(_read_pairs, _texts(".tsv", text=texts.PAIRS_WITH_HEADER)),
    "numbered pairs": Reader(_read_pairs, _texts(".tsv", text=texts.TATOEBA)),
    "comma pairs": Reader(_read_pairs, _texts(".csv", text=texts.PAIRS.replace("\t", ","))),
    "JSON pairs": Reader(_read_pairs, texts.pair_objects),
    "XLIFF": Reader(_read_pairs, _texts(".xlf", ".xliff", text=texts.XLIFF)),
    "XLIFF 2": Reader(_read_pairs, _texts(".xlf", text=texts.XLIFF_2)),
    "aligned text": Reader(_read_aligned, _texts(".en", text="\n".join(texts.SENTENCES))),
    "catalog": Reader(_read_pairs, _catalogs),
    "memory": Reader(_read_pairs, _texts(".tmx", text=texts.TMX)),
    "ABC": Reader(_read_tunes, _texts(".abc", text=texts.ABC)),
    "MIDI": Reader(_read_tunes, _midi),
    "MusicXML": Reader(_read_tunes, _scores),
    "sound": Reader(_read_sound, fuzzing_speech.sounds),
    "speech corpus": Reader(fuzzing_speech.read_corpus, fuzzing_speech.lists),
    "picture": Reader(_read_picture, _pictures),
    "picture modes": Reader(_read_picture, _picture_modes),
    "frames": Reader(_read_frames, _frames),
    "video": Reader(_read_video, _videos),
}
"""Readers by name."""
