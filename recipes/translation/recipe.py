"""The recipe: which function does what, and what the model makes of a sentence."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_seq.models import Seq2Seq
from keras_seq.train import plots, recipe

from . import data, metric, model
from .config import Config

if TYPE_CHECKING:
    from keras_seq.demo.panels import Panel


class Recipe(recipe.Recipe[Config, Seq2Seq]):
    """Sentences in another language."""

    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)
    examples = ("Delete this page?", "The file could not be saved.")

    def predict(
        self,
        model: Seq2Seq,
        config: Config,
        inputs: Sequence[str],
        *,
        n_best: int = 1,
        beam_width: int = 5,
        length_penalty: float = 0.6,
        folder: Path = Path("attention"),
    ) -> Iterator[dict[str, Any]]:
        """Translate every sentence, best first, and draw where the model looked.

        Args:
            model, config, inputs: As for every recipe.
            n_best: Number of translations of a sentence, at most as many as the beam is wide.
            beam_width: Number of translations that are followed at a time.
            length_penalty: More favours long translations.
            folder: Where to write the pictures.
        """
        found = model.translate_n_best(
            list(inputs),
            n_best=n_best,
            beam_width=beam_width,
            length_penalty=length_penalty,
            copy_unknown=True,
            return_attention_scores=True,
        )
        for text, best, picture in plots.attention_per_text(inputs, found, folder):
            yield {
                "text": text,
                "translation": best.text,
                "score": f"{best.score:.2f}",
                "attention": picture,
            }

    def demo(self, model: Seq2Seq, config: Config) -> "Panel":
        """Return a panel with a sentence in, the translations of the beam out."""
        from keras_seq.demo.panels import seq2seq_panel

        return seq2seq_panel(model, copy_unknown=True)
