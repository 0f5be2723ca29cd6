"""Sentences with sentiment ratings, on which VADER was evaluated (Hutto & Gilbert 2014)."""

import io
import tarfile
from collections.abc import Iterator

from keras_seq.data.sdist import read_from_sdist

DOMAINS = {
    "movies": "movieReviewSnippets",
    "tweets": "tweets",
    "products": "amazonReviewSnippets",
    "news": "nytEditorialSnippets",
}
"""Prefixes of file names by domain of the sentences."""


def read_rated_sentences() -> Iterator[tuple[str, str, float]]:
    """Read the sentences from the source distribution of vaderSentiment.

    Yields:
        Domain, text, and the mean of 20 ratings from -4 (negative) to 4 (positive).

    Raises:
        InputError: If the source distribution cannot be downloaded.
    """
    archive = read_from_sdist(
        "vaderSentiment",
        "3.3.2",
        "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        "additional_resources/hutto_ICWSM_2014.tar.gz",
    )
    with tarfile.open(fileobj=io.BytesIO(archive)) as inner:
        for domain, name in DOMAINS.items():
            file = inner.extractfile(f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
            assert file is not None  # The hash of the archive determines the content.
            for line in file.read().decode("utf-8").split("\n"):
                if line.strip():
                    _, rating, text = line.rstrip("\r").split("\t")
                    yield domain, text, float(rating)
