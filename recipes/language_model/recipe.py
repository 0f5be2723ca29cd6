"""The recipe: which function does what, and what the model says of a text."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_seq.models import SequenceGenerator
from keras_seq.train import recipe

from . import data, metric, model
from .config import Config


class Recipe(recipe.Recipe[Config, SequenceGenerator]):
    """How likely texts are, token by token, and what comes next."""

    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)
    examples = ("A class definition ", "If the exception ")

    def predict(
        self,
        model: SequenceGenerator,
        config: Config,
        inputs: Sequence[str],
        *,
        next: int = 5,
        generate: bool = False,
        seed: int = 0,
        temperature: float = 0.8,
        length: int = 200,
        beam: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Tell how likely each text is, each of its tokens given those before, and what comes next.

        Args:
            model, config, inputs: As for every recipe.
            next: Number of likely next tokens to name.
            generate: Continue the text instead.
            seed: Random seed of the text that is made.
            temperature: Below 1 favours what is likely; 0 takes the likeliest token always.
            length: Tokens to make at most.
            beam: Instead of drawing, search for the likeliest text with so many hypotheses.
        """
        if generate:
            texts = model.generate(
                list(inputs),
                max_length=length,
                temperature=temperature if beam is None else 1.0,
                seed=seed,
                beam_width=beam,
            )
            for text, made in zip(inputs, texts):
                yield {"begins with": text, "text": made}
            return
        sequences = [model.encoder.tokenize(text) for text in inputs]
        # What comes after a text is not yet its end.
        for text, tokens, scores in zip(inputs, sequences, model.log_probs(sequences)):
            scores = scores[:-1] / np.log(2)
            likely = model.next_tokens(tokens, num_tokens=next)
            yield {
                "text": text,
                "log2 p": f"{scores.sum():.1f}",
                "bits a character": f"{-scores.sum() / max(len(text), 1):.2f}",
                "p of each token": "  ".join(f"{t!r} {2**s:.2g}" for t, s in zip(tokens, scores)),
                "next": "  ".join(f"{token!r} {p:.2f}" for token, p in likely),
            }
