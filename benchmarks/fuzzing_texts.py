"""Contents of small valid files of every supported text format."""

import gzip
import io
import json
from typing import Any

SENTENCES = ("Ada lived in New York.", "A good film, and a short one.", "Über «alles» geht 北京.")
CONLL = "-DOCSTART- O\n\nAda\tB-PER\nlived\tO\nin\tO\nYork\tB-LOC\n\nGood\tO\nday\tO\n"
WORD_TAGS = "19980101-01-001-001/m  [中央/n  电视台/n]nt  江/nr  泽民/nr  在/p  北京/ns  。/w\n" * 3
VECTORS = "3 4\nAda 0.1 -0.2 0.3 4e-1\nlived 1 2 3 4\nin 0 0 0 1\n"
FASTA = "; a comment\n>one first\nACGTNACGTACGT\nACGT-X*\n>two\nGGGCCCAAATTT\n"
FASTA_CLASSES = ">1|a|x\nACGT\n>2|b|x\nAC\nGU\n>3|a|x class=b\nNNN\n>4|b|y\nA-C*\n"
SEQUENCES = "ACGTNACGTACGT,one\nGGGCCCAAATTT,two\nacgu-acgu*,one\n"
FASTQ = "@one first\nACGTN\nACG.\n+one first\nIII@I\nIIII\n@two\nGGGC\n+\n@@@@\n"
LEXICON = "ada\tEY D AH\nlived\tL IH V D\nada\tAA D AH\n"
CMU_LEXICON = ";;; a comment\nREAD  R IY1 D\nREAD(2)  R EH1 D\nread(3) R EH1 D # place\n"
REVIEW = "A fine film.<br /><br />Go and see it.\nTwice.\n"
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
    "\nText between tunes\n\nX:3\nM:C|\nK:Bb exp _e\n+fermata+[L:1/4]C2/3D//[V:2]C & x2|[K:D]y|\n"
    "w:la la\nK:clef=bass octave=1\n(3::2_C-^C=C|\\\nX2|%%begintext\nA\n%%endtext\n"
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
TAGS = ("B-PER", "O", "O", "B-LOC", "I-LOC", "O")
WORDS = ("Ada", "lived", "in", "New", "York", ".")
SCHEMES = {
    "bio.conll": TAGS,
    "bioes.conll": ("S-PER", "O", "O", "B-LOC", "E-LOC", "O"),
    "bilou.conll": ("U-PER", "O", "O", "B-LOC", "L-LOC", "O"),
    "bmes.conll": ("S-PER", "O", "O", "B-LOC", "E-LOC", "O"),
    "bmewo.conll": ("W-PER", "O", "O", "B-LOC", "E-LOC", "O"),
    "bare.conll": ("PER", "O", "O", "LOC", "LOC", "O"),
}
"""Tags of `WORDS` by file name."""
CONLL_U = (
    "# sent_id = 1\n# text = Ann sees it\n1\tAnn\tAnn\tPROPN\tNNP\t_\t2\tnsubj\t_\tNER=B-PER\n"
    "2\tsees\tsee\tVERB\tVBZ\t_\t0\troot\t_\tNER=O\n2.1\tit\tit\tX" + "\t_" * 6 + "\n"
    "3-4\tit's" + "\t_" * 8 + "\n3\tit\tit\tPRON\tPRP\t_\t2\tobj\t_\tNER=O\n"
    "4\t's\tbe\tAUX\tVBZ\t_\t2\taux\t_\tNER=O\n\n"
)
UNER = (
    "# newdoc id = 1\n# sent_id = 1\n# text = Ann sees Oslo\n1\tAnn\tB-PER\t-\t-\n"
    "2\tsees\tO\t-\t-\n3\tOslo\tB-LOC\t-\t-\n\n"
)
MULTICONER = "# id f423a88e domain=en\nit _ _ O\nis _ _ O\nOslo _ _ B-LOC\n\n"
KAGGLE = "Sentence #,Word,POS,Tag\nSentence: 1,Ada,NNP,B-per\n,lived,VB,O\nSentence: 2,Go,VB,O\n"
PAIRS_WITH_HEADER = "id\tEnglish\tGerman\n1\tSave\tSpeichern\n2\tClose\tSchließen\n"
XLIFF_2 = (
    '<xliff version="2.0" srcLang="en" trgLang="de" xmlns="urn:oasis:names:tc:xliff:document:2.0">'
    '<file id="1"><unit id="1"><segment><source>Press <ph id="1"/>OK</source>'
    "<target>Jetzt OK</target></segment></unit></file></xliff>"
)
LEXICON_WITH_SLASHES = 'word,ipa\na,"/ə/, /eɪ/"\nbread,/bɹɛd/\n'
LEXICON_WITH_NUMBERS = "ada\t0.99\t0.2\t1.0\tEY D AH\nlived\t0.5\tL IH V D\n"


def compress(text: str, *suffixes: str) -> dict[str, bytes]:
    """Return a text for each suffix, compressed for those that end in .gz."""
    raw = text.encode("utf-8")
    return {s: gzip.compress(raw, mtime=0) if s.endswith(".gz") else raw for s in suffixes}


def make_table(delimiter: str, has_header: bool = True) -> str:
    """Return a table of labeled texts."""
    rows = [("text", "label", "note"), *((text, "good", "a b") for text in SENTENCES)]
    quote = "{}" if delimiter == "\t" else '"{}"'
    rows = rows if has_header else rows[1:]
    return "".join(delimiter.join(map(quote.format, row)) + "\n" for row in rows)


def make_objects() -> str:
    """Return JSON lines with labeled texts that have spans."""
    span = {"start": 0, "end": 3, "label": "PER"}
    objects: list[dict[str, Any]] = [
        {"text": "Ada lived", "label": 1, "spans": [span]},
        {"text": "x", "label": "b"},
    ]
    return make_lines(*({"spans": [], **row} for row in objects))


def make_lines(*objects: object) -> str:
    """Return JSON lines."""
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in objects)


def make_array(lines: str) -> str:
    """Return the objects of JSON lines as a JSON array."""
    return json.dumps([json.loads(line) for line in lines.splitlines()], indent=1)


def tagged_columns() -> dict[str, bytes]:
    """Return columns of tokens and tags in each tag scheme."""
    contents = {}
    for name, tags in SCHEMES.items():
        text = "".join(f"{word} {tag}\n" for word, tag in zip(WORDS, tags)) + "\nGo O\n"
        contents[f"_{name}"] = text.encode()
    return contents


def tagged_objects() -> dict[str, bytes]:
    """Return JSON lines of Hugging Face, doccano and spaCy."""
    text = "Ann sees Oslo"
    numbers = {"tokens": text.split(), "ner_tags": [1, 0, 2], "names": ["O", "B-PER", "B-LOC"]}
    spans = [[0, 3, "PER"], [9, 13, "LOC"]]
    offsets = [{"start_offset": 0, "end_offset": 3, "label": "PER"}]
    region = {"start": 0, "end": 3, "text": "Ann", "labels": ["PER"]}
    result = {"from_name": "label", "to_name": "text", "type": "labels", "value": region}
    study = [{"id": 1, "data": {"text": text}, "annotations": [{"result": [result]}]}]
    contents = {
        "_studio.json": json.dumps(study),
        "_array.json": make_array(make_lines({"text": text, "entities": spans})),
        "_tokens.jsonl": make_lines({"tokens": text.split(), "ner_tags": ["B-PER", "O", "B-LOC"]}),
        "_numbers.jsonl": make_lines(numbers),
        "_doccano.jsonl": make_lines({"id": 1, "text": text, "label": spans}),
        "_offsets.jsonl": make_lines({"id": 1, "text": text, "entities": offsets}),
        "_spacy.jsonl": make_lines({"text": text, "entities": spans}),
    }
    return {suffix: lines.encode() for suffix, lines in contents.items()}


def pair_objects() -> dict[str, bytes]:
    """Return JSON lines and arrays of pairs."""
    pairs = [("Save", "Speichern"), ("Close", "Schließen")]
    nested = make_lines(*({"translation": {"en": en, "de": de}} for en, de in pairs))
    flat = make_lines(*({"source": en, "target": de, "id": 1} for en, de in pairs))
    contents = {"_nested.jsonl": nested, "_flat.jsonl": flat, ".json": make_array(nested)}
    return {suffix: text.encode() for suffix, text in contents.items()}


def parquet_table() -> dict[str, bytes]:
    """Return a table of labeled texts as Parquet."""
    import pyarrow
    from pyarrow import parquet

    columns = {"text": list(SENTENCES), "label": ["good"] * len(SENTENCES)}
    contents = {}
    for compression in ("none", "snappy"):
        file = io.BytesIO()
        parquet.write_table(pyarrow.table(columns), file, compression=compression)
        contents[f"_{compression}.parquet"] = file.getvalue()
    return contents
