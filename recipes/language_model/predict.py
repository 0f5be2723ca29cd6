"""How likely texts are, token by token, and what comes next."""

import numpy as np

from keras_seq.text.vocabulary import END

EXAMPLES = ["A class definition ", "If the exception "]


def predict(
    model,
    config,
    inputs,
    *,
    next: int = 5,
    generate: bool = False,
    seed: int = 0,
    temperature: float = 0.8,
    length: int = 200,
    beam: int | None = None,
):
    """Of each text: the probability of every token given those before it, of the whole, and what
    is likely to come next.

    Parameters
    ----------
    next
        How many next tokens to name.
    generate
        Go on with the text instead.
    seed
        Of the text that is made.
    temperature
        Below 1 favours what is likely; 0 takes the likeliest token always.
    length
        Tokens to make at most.
    beam
        Instead of drawing, search for the likeliest text with so many hypotheses.
    """
    if generate:
        how = {"temperature": temperature, "seed": seed} if beam is None else {"beam_width": beam}
        for text, made in zip(inputs, model.generate(list(inputs), max_length=length, **how)):
            yield {"begins with": text, "text": made}
        return
    sequences = [model.tokens_of(text) for text in inputs]
    # What comes after a text is not yet its end.
    for text, tokens, scores in zip(inputs, sequences, model.log_probs(sequences)):
        scores = scores[:-1] / np.log(2)
        likely = model.next_tokens(tokens, count=next)
        yield {
            "text": text,
            "log2 p": f"{scores.sum():.1f}",
            "bits a character": f"{-scores.sum() / max(len(text), 1):.2f}",
            "p of each token": "  ".join(f"{t!r} {2**s:.2g}" for t, s in zip(tokens, scores)),
            "next": "  ".join(f"{token!r} {p:.2f}" for token, p in likely),
        }


def look(model, example, target):
    """A text, behind the end of what was before it."""
    tokens = model.tokens_of(example) if isinstance(example, str) else example
    return model.encode([tokens]).inputs, [END, *tokens]
