"""Detection of the scheme of tags, and counts of their spans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from keras_seq.text.tag_schemes import LABEL_SCHEMES, OUTSIDE, SCHEMES

LETTERS = "BIESLUMW"
"""Letters with which tags of spans begin, of all schemes."""

TagPair = tuple[str, str]
"""Tag of the token before, and tag of a token. Before the first token it is "O"."""


def guess_scheme(sentences: Iterable[Sequence[str]]) -> str:
    """Guess the scheme of tags, as `guess_scheme_of_pairs` does.

    >>> guess_scheme([["O", "I-PER"]])
    'IOB1'
    >>> guess_scheme([["B-PER", "M-PER", "E-PER"]])
    'BMES'
    >>> guess_scheme([["PRON", "VERB"]])
    'classes'

    Args:
        sentences: Lists of tags, preferably those of a whole file.
    """
    return guess_scheme_of_pairs({pair for tags in sentences for pair in tag_pairs(tags)})


def tag_pairs(tags: Sequence[str]) -> Iterable[TagPair]:
    """Return the pair of each tag of a sentence and the tag before it.

    Args:
        tags: Tags of the sentence.
    """
    return zip([OUTSIDE, *tags], tags, strict=False)


def guess_scheme_of_pairs(pairs: Collection[TagPair]) -> str:
    """Guess the scheme of tags from their letters.

    Tags have a scheme of `SCHEMES` if at least half of the different tags other than O are a letter
    of a scheme, a hyphen and a label. It is the first in the order of `SCHEMES` that has all of
    the letters, or else most. Tags that are valid in several of the schemes from IOBES on have the
    same spans in each. With B and I only, the scheme is IOB1 if a span begins with I, else IOB2.

    Other tags are bare if O is among them, else classes.

    Args:
        pairs: Different pairs of neighboring tags.
    """
    tags = {tag for _, tag in pairs}
    tags_of_spans = tags - {OUTSIDE}
    letters = {tag[0] for tag in tags_of_spans if has_scheme_letter(tag)}
    if 2 * sum(map(has_scheme_letter, tags_of_spans)) < len(tags_of_spans):
        return "bare" if OUTSIDE in tags else "classes"
    if letters <= {"B", "I"}:
        has_initial_i = any(tag.startswith("I-") and before[2:] != tag[2:] for before, tag in pairs)
        return "IOB1" if has_initial_i else "IOB2"
    return max(SCHEMES, key=lambda scheme: len(letters & {*SCHEMES[scheme]}))


def has_scheme_letter(tag: str) -> bool:
    """Return whether a tag is a letter of a scheme, a hyphen and a label.

    Args:
        tag: Tag.
    """
    return len(tag) > 2 and tag[1] == "-" and tag[0] in LETTERS


def is_without_labels(tags: Collection[str], scheme: str | None = None) -> bool:
    """Return whether tags are letters of one scheme without labels, such as B, I and O.

    Single letters can be labels too, so that B must be among them, or I alone.

    >>> is_without_labels({"B", "I", "O"}), is_without_labels({"B", "N", "V"})
    (True, False)

    Args:
        tags: Different tags.
        scheme: Scheme of the tags, if it is known.
    """
    letters = {*tags} - {OUTSIDE}
    if scheme in LABEL_SCHEMES or not ("B" in letters or letters == {"I"}):
        return False
    schemes = SCHEMES if scheme is None else [scheme]
    return any(letters <= {*SCHEMES[name]} for name in schemes)
