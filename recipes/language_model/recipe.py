"""Recipe `language_model`: its functions and predictions."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_seq.models import SequenceGenerator
from keras_seq.train import recipe
from keras_seq.train.config import NonNegativeFloat, NonNegativeInt, PositiveInt

from . import data, metric, model
from .config import Config


class Recipe(recipe.Recipe[Config, SequenceGenerator]):
    """Scoring, next-token prediction and generation of texts."""

    reads_hf = True
    load = staticmethod(data.load)
    build = build_from = staticmethod(model.build)
    encode = staticmethod(model.encode)
    calibrate = staticmethod(model.calibrate)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)
    examples = ("A class definition ", "If the exception ")

    def predict(
        self,
        model: SequenceGenerator,
        config: Config,
        inputs: Sequence[str],
        *,
        num_next: PositiveInt = 5,
        generate: bool = False,
        seed: NonNegativeInt = 0,
        temperature: NonNegativeFloat = 0.8,
        max_length: PositiveInt = 200,
        beam_width: PositiveInt | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Score texts token by token and predict the next token, or continue the texts.

        Args:
            model: Trained model.
            config: Config of the run.
            inputs: Texts.
            num_next: Number of most probable next tokens to show.
            generate: Continue each text instead of scoring it.
            seed: Random seed for sampling.
            temperature: Softmax temperature for sampling; below 1 favors probable tokens, 0 is
                greedy.
            max_length: Maximum number of generated tokens.
            beam_width: Beam width for beam search instead of sampling.
        """
        if generate:
            texts = model.generate(
                list(inputs),
                max_length=max_length,
                temperature=temperature if beam_width is None else 1.0,
                seed=seed,
                beam_width=beam_width,
            )
            for prompt, text in zip(inputs, texts):
                yield {"prompt": prompt, "text": text}
            return
        sequences = [model.encoder.tokenize(text) for text in inputs]
        # The last score is that of the end token, which a prefix does not have.
        for text, tokens, log_probs in zip(inputs, sequences, model.log_probs(sequences)):
            scores = log_probs[:-1] / np.log(2)
            candidates = model.next_tokens(tokens, num_tokens=num_next)
            yield {
                "text": text,
                "log2_probability": float(scores.sum()),
                "bits_per_character": float(-scores.sum() / max(len(text), 1)),
                "token_probabilities": "  ".join(
                    f"{t!r} {2**s:.2g}" for t, s in zip(tokens, scores)
                ),
                "next_tokens": "  ".join(f"{token!r} {p:.2f}" for token, p in candidates),
            }
