"""The rated sentences by which VADER was evaluated (Hutto & Gilbert 2014)."""

import io
import tarfile

from keras_seq.data.sdist import read_from_sdist

DOMAINS = {
    "movies": "movieReviewSnippets",
    "tweets": "tweets",
    "products": "amazonReviewSnippets",
    "news": "nytEditorialSnippets",
}
"""The domains, and the files that they are in."""


def read_rated_sentences():
    """Domain, text, and mean of twenty ratings (-4 to 4) of each sentence.

    They are in the source distribution of vaderSentiment, which is fetched once.
    """
    archive = read_from_sdist(
        "vaderSentiment",
        "3.3.2",
        "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        "additional_resources/hutto_ICWSM_2014.tar.gz",
    )
    with tarfile.open(fileobj=io.BytesIO(archive)) as inner:
        for domain, name in DOMAINS.items():
            member = f"hutto_ICWSM_2014/{name}_GroundTruth.txt"
            for line in inner.extractfile(member).read().decode("utf-8").split("\n"):
                if line.strip():
                    _, rating, text = line.rstrip("\r").split("\t")
                    yield domain, text, float(rating)
