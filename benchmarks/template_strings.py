"""Template features of tokens as strings, for classical taggers."""

import itertools
from collections.abc import Sequence

from keras_seq.layers.text.template_features import DEFAULT_TEMPLATES, parse_template

TEMPLATES = [parse_template(template) for template in DEFAULT_TEMPLATES]
MAX_CHARACTERS = 20


def template_strings(tokens: Sequence[str]) -> list[list[str]]:
    """Return the features of each token of a sentence.

    >>> template_strings(["Ada", "slept"])[0][:3]
    ['0', '1|0', '2|1']
    """
    attributes = [
        _attributes(token[:MAX_CHARACTERS], number, len(tokens))
        for number, token in enumerate(tokens)
    ]
    rows = []
    for t in range(len(tokens)):
        row = []
        for number, template in enumerate(TEMPLATES):
            values = []
            for part in template:
                step = t + part.step
                is_inside = 0 <= step < len(tokens)
                values.append(attributes[step][part.attribute] if is_inside else "\0")
            row.append("|".join([str(number), *values]))
        rows.append(row)
    return rows


def _attributes(token: str, number: int, count: int) -> dict[str, str]:
    """Return the attributes of a token, see `TemplateFeatures`.

    Args:
        token: Token.
        number: Number of tokens before it.
        count: Number of tokens of the sentence.
    """
    lower, shape = token.lower(), "".join(map(_shape, token))
    kept = ["0" if c.isdigit() else c for c in lower if c.isalnum()]
    return {
        "token": token,
        "lower": lower,
        "word": "".join(kept) or lower,
        "shape": shape,
        "outline": "".join(character for character, _ in itertools.groupby(shape)),
        "position": str(min(number, 4)),
        "distance_to_end": str(min(count - 1 - number, 4)),
        **{f"prefix{size}": lower[:size] for size in (1, 2, 3, 4)},
        **{f"suffix{size}": lower[-size:] for size in (1, 2, 3, 4)},
    }


def _shape(character: str) -> str:
    for is_kind, letter in ((str.isdigit, "0"), (str.isupper, "X"), (str.islower, "x")):
        if is_kind(character):
            return letter
    return "a" if character.isalpha() else character
