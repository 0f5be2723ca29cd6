"""The recipe: which function does what, and how words are said."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from keras_seq.models import Seq2Seq
from keras_seq.train import plots, recipe

from . import data, metric, model
from .config import Config


class Recipe(recipe.Recipe[Config, Seq2Seq]):
    """Phonemes from letters."""

    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)
    examples = ("attention", "seqeval")

    def predict(
        self,
        model: Seq2Seq,
        config: Config,
        inputs: Sequence[str],
        *,
        n_best: int = 1,
        beam_width: int = 5,
        folder: Path = Path("attention"),
    ) -> Iterator[dict[str, Any]]:
        """Say every word in phonemes, best first, and draw where the model looked for the best.

        Args:
            model, config, inputs: As for every recipe.
            n_best: Number of ways to say a word, at most as many as the beam is wide.
            beam_width: Number of ways that are followed at a time.
            folder: Where to write the pictures.
        """
        found = model.translate_n_best(
            list(inputs), n_best=n_best, beam_width=beam_width, return_attention_scores=True
        )
        for text, best, picture in plots.attention_per_text(inputs, found, folder):
            yield {
                "word": text,
                "phonemes": best.text,
                "score": f"{best.score:.2f}",
                "attention": picture,
            }

    def trace_inputs(
        self, model: Seq2Seq, example: Any, target: Any = None
    ) -> tuple[Any, Sequence[str]]:
        """Return a word, and the first way to say it, as inputs of the model."""
        return model.trace_inputs(example, target and target[0])
