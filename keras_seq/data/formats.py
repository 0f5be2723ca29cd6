"""Registry of the formats of user files; `docs/formats.py` writes docs/formats.md from it.

A new format needs one entry in `FORMATS`.
"""

from __future__ import annotations

import dataclasses

from keras_seq.data.audio import AUDIO_SUFFIXES

TABLES = ("dna", "sentiment", "speech")
"""Recipes that read tables with `keras_seq.data.read_table`."""
COLUMNS = "text_column label_column sequence_column file_column"
"""Options for the columns of tables. Each recipe has some of them."""
TAGGED = "encoding token_column tag_column tag_scheme"
"""Options of `keras_seq.data.open_tagged`."""
PAIRED = "encoding delimiter header columns"
"""Options of `keras_seq.data.read_parallel_text`."""


@dataclasses.dataclass(frozen=True)
class Format:
    """Format of user files.

    >>> fasta = Format("FASTA", ".fa .fasta", "suffix", "dna", "encoding", "test_fasta.py::test_a")
    >>> fasta.options
    'encoding'

    Args:
        name: Name of the format.
        files: Suffixes, separated by spaces, or the names of files and folders.
        recognized_by: What tells the format from others.
        recipes: Name of a recipe that reads the format, or names of several.
        options: Fields of the recipes' Configs that apply, separated by spaces. Each recipe may
            have some of them only.
        test: Test of the format, as `tests/FILE::FUNCTION` without `tests/`.
    """

    name: str
    files: str
    recognized_by: str
    recipes: str | tuple[str, ...]
    options: str
    test: str


# fmt: off
FORMATS = (
    # Tables.
    Format("delimited text", ".csv .tsv .tab .txt", "suffix, delimiter by the header",
           TABLES, COLUMNS + " delimiter encoding",
           "data/test_tables.py::test_delimiters_are_detected"),
    Format("delimited text without a header", ".csv .tsv .tab .txt", "columns given as numbers",
           TABLES, COLUMNS + " delimiter encoding", "data/test_tables.py::test_columns_by_number"),
    Format("JSON lines, one object per line", ".jsonl .ndjson .json", "suffix",
           TABLES, COLUMNS + " encoding", "recipes/test_sentiment.py::test_tables_are_read"),
    Format("JSON array of objects", ".json .jsonl", "suffix and `[` at the beginning",
           TABLES, COLUMNS + " encoding", "data/test_tables.py::test_a_json_array"),
    Format("Parquet", ".parquet", "suffix",
           TABLES, COLUMNS, "data/test_tables.py::test_parquet"),
    # Labeled texts.
    Format("fastText", "any", "`__label__` at the beginning of the first line",
           "sentiment", "encoding", "data/test_labeled_texts.py::test_files"),
    Format("one text per file, one folder per label", ".txt .text or none", "folder of folders",
           "sentiment", "encoding", "data/test_labeled_texts.py::test_a_folder_for_each_label"),
    Format("movie reviews (aclImdb)", "`train/pos`, `train/neg`, `test/pos`, `test/neg`",
           "names of the folders",
           "sentiment", "encoding", "data/test_labeled_texts.py::test_folders_of_movie_reviews"),
    # Tagged sentences.
    Format("CoNLL: one token per line, spaces or tabs between columns", "any", "columns",
           "ner", TAGGED, "data/test_conll_columns.py::test_columns"),
    Format("CoNLL-2003 with `-DOCSTART-`", "any", "columns",
           "ner", TAGGED, "data/test_conll.py::test_read_conll"),
    Format("CoNLL-U, any column", ".conllu .conllup", "suffix, or `# global.columns`, or columns",
           "ner", TAGGED, "data/test_conll_columns.py::test_each_column_of_conll_u"),
    Format("UNER, MultiCoNER", "any", "comments and columns",
           "ner", TAGGED, "data/test_conll_columns.py::test_columns"),
    Format("JSON lines with tokens and tags (Hugging Face)", ".jsonl .ndjson .json", "keys",
           "ner", TAGGED + " tag_names", "data/test_tagging.py::test_json_lines"),
    Format("JSON lines with texts and spans (doccano, spaCy, prodigy)", ".jsonl .ndjson .json",
           "keys", "ner", "encoding tokenizer", "data/test_tagging.py::test_json_lines"),
    Format("JSON array of such objects", ".json .jsonl", "`[` at the beginning",
           "ner", TAGGED + " tag_names tokenizer", "data/test_tagging.py::test_json_arrays"),
    Format("JSON export of Label Studio", ".json", "keys `data` and `annotations`",
           "ner", "encoding tokenizer", "data/test_tagging.py::test_label_studio"),
    Format("tags of IOB1, IOB2 (BIO), IOBES (BIOES), BILOU, BMES, BMEWO, bare labels, or classes",
           "any of these", "neighboring tags", "ner", TAGGED,
           "recipes/test_ner.py::test_each_tag_scheme"),
    Format("table with one token per row (Kaggle)", ".csv .tsv .txt",
           "header with a sentence column", "ner", TAGGED,
           "data/test_tagging.py::test_tables_with_a_sentence_column"),
    Format("word/tag (People's Daily)", "any", "first line", "ner", "encoding",
           "recipes/test_ner.py::test_chinese_paragraphs_with_words_and_their_tags"),
    # Parallel text.
    Format("two aligned files (Moses)", "`a.en,a.de`, or `train.en` and `train.de` in a folder",
           "two paths or suffixes", "translation", "encoding source target",
           "data/test_parallel.py::test_blank_sides"),
    Format("tab-separated pairs, with or without a header", ".tsv .txt", "suffix", "translation",
           PAIRED, "data/test_parallel.py::test_a_header_of_languages"),
    Format("Tatoeba: id, text, id, text", ".tsv .txt", "four columns, two of them numbers",
           "translation", PAIRED, "data/test_parallel.py::test_columns_of_tatoeba"),
    Format("delimited pairs", ".csv", "suffix, delimiter by the first rows", "translation",
           PAIRED, "data/test_parallel.py::test_delimited_pairs"),
    Format("JSON lines or JSON array", ".jsonl .ndjson .json", "suffix; keys of languages or roles",
           "translation", "encoding columns source target", "data/test_parallel.py::test_json"),
    Format("translation memory (TMX)", ".tmx", "suffix", "translation", "source target",
           "data/test_parallel.py::test_codes_in_translation_memories"),
    Format("XLIFF", ".xlf .xliff", "suffix", "translation", "source target",
           "data/test_parallel.py::test_xliff"),
    Format("gettext catalog", ".po .mo", "suffix", "translation", "",
           "recipes/test_translation.py::test_reading_catalogs"),
    # Lexicons.
    Format("CMUdict in both formats", "any", "blanks after the first word", "spelling", "encoding",
           "data/test_lexicons.py::test_both_formats_of_cmudict"),
    Format("tab-separated lexicon, with IPA or probabilities", "any", "tab in the first entry",
           "spelling", "encoding", "data/test_lexicons.py::test_between_tabs"),
    Format("delimited lexicon", ".csv", "suffix or `--delimiter`", "spelling",
           "encoding delimiter", "data/test_lexicons.py::test_comma_separated"),
    # Text.
    Format("plain text, blank lines between paragraphs", "any", "every file is text",
           "language_model", "encoding",
           "recipes/test_language_model.py::test_own_text_end_to_end"),
    # Recordings.
    Format("recordings with a table of files and transcripts",
           " ".join((*AUDIO_SUFFIXES, "and .csv .tsv .jsonl .ndjson .json .parquet")),
           "table in the folder", "speech",
           "file_column text_column audio_folder encoding delimiter",
           "recipes/test_speech.py::test_own_recordings_end_to_end"),
    Format("manifest of NeMo, with segments", ".json .jsonl", "columns", "speech",
           "audio_folder encoding", "data/test_speech_corpora.py::test_nemo_manifest"),
    Format("Common Voice", "`train.tsv` or `validated.tsv`, and `clips/`", "names of the files",
           "speech", "encoding", "data/test_speech_corpora.py::test_common_voice"),
    Format("LJSpeech", "`metadata.csv`, and `wavs/`", "vertical bars, no header", "speech",
           "encoding", "data/test_speech_corpora.py::test_ljspeech"),
    Format("LibriSpeech", "`*.trans.txt`", "names of the files", "speech", "encoding",
           "data/test_speech_corpora.py::test_librispeech"),
    Format("segments of long recordings (STM, TED-LIUM)", ".stm", "suffix", "speech", "encoding",
           "data/test_speech_corpora.py::test_stm"),
    Format("Kaldi", "`wav.scp`, `text`, and perhaps `segments`", "names of the files", "speech",
           "audio_folder encoding", "data/test_speech_corpora.py::test_kaldi"),
    Format("recordings with a text file each", "`NAME.txt`, `NAME.lab` or `NAME.normalized.txt`",
           "folder without tables and lists", "speech", "encoding",
           "data/test_speech_corpora.py::test_texts_next_to_sounds"),
    # Music.
    Format("ABC tune book, versions 1.6 to 2.2", ".abc", "suffix", "music", "",
           "recipes/test_abc.py::test_tune_books"),
    Format("MIDI of types 0 and 1, also within RIFF", ".mid .midi .kar .rmi", "suffix", "music", "",
           "recipes/test_midi.py::test_unusual_files"),
    Format("MusicXML (partwise), also compressed", ".xml .musicxml .mxl", "suffix", "music", "",
           "recipes/test_scores.py::test_compressed_musicxml"),
    # DNA.
    Format("FASTA, one file or folder per class",
           ".fa .fasta .fas .fna .ffn .frn .fsa .mfa .txt .seq",
           "`>` at the beginning", "dna", "encoding",
           "recipes/test_dna.py::test_tables_and_fasta_files_are_read"),
    Format("FASTQ, one file or folder per class", ".fq .fastq", "`@` at the beginning", "dna",
           "encoding", "recipes/test_dna.py::test_fastq"),
    Format("FASTA or FASTQ with the class in the headers", ".fa .fasta .fq .fastq",
           "file, or `train.*` and `test.*`", "dna", "encoding header_label",
           "recipes/test_dna.py::test_classes_in_headers"),
    Format("sequences and labels in two columns without a header", ".csv .tsv .txt",
           "letters of DNA in the first row", "dna", "encoding delimiter",
           "recipes/test_dna.py::test_tables_without_a_header"),
    # Videos and images.
    Format("videos, one folder per class",
           ".avi .gif .m4v .mkv .mov .mp4 .mpeg .mpg .webm .wmv", "suffix", "video",
           "frame_size fps max_frames", "recipes/test_video.py::test_own_videos_end_to_end"),
    Format("folders of images, one per clip, in one folder per class",
           ".png .jpg .jpeg .bmp .tif .tiff .webp", "folders in the folder of a class", "video",
           "frame_size fps max_frames image_fps",
           "recipes/test_video.py::test_folders_of_images_are_clips"),
    Format("images, one folder per digit, dark on light, light on dark or on transparent",
           ".png .jpg .jpeg .bmp .gif .tif .tiff .webp", "suffix", "mnist_rows", "",
           "recipes/test_mnist_rows.py::test_modes"),
)
"""All formats, in the order of the page."""
# fmt: on
