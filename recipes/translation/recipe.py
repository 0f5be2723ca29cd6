"""Recipe `translation`: its functions, predictions, and the page of `keras-seq demo`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_seq.batching import RawExamples
from keras_seq.data.report import ExampleColumns
from keras_seq.models import Seq2Seq
from keras_seq.train import plots, recipe
from keras_seq.train.config import FiniteFloat, PositiveInt

from . import data, metric, model
from .config import Config

if TYPE_CHECKING:
    from keras_seq.demo.panels import Panel


class Recipe(recipe.Recipe[Config, Seq2Seq]):
    """Machine translation."""

    reads_hf = True
    load = staticmethod(data.load)
    build = build_from = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)
    examples = ("Delete this page?", "The file could not be saved.")

    def describe(self, config: Config, examples: RawExamples) -> ExampleColumns:
        """Return the columns of the report: sentences, in words, and translations."""
        columns = ExampleColumns.of(examples)
        if config.tokenizer == "char":
            return columns.replace(max_length=model.MAX_LENGTH)
        num_words = [len(text.split()) for text in examples.inputs]
        return columns.replace(unit="words", lengths=num_words, max_length=model.MAX_LENGTH)

    def predict(
        self,
        model: Seq2Seq,
        config: Config,
        inputs: Sequence[str],
        *,
        n_best: PositiveInt = 1,
        beam_width: PositiveInt = 5,
        length_penalty: FiniteFloat = 0.6,
        picture: Path | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Predict the n-best translations of each sentence, the best first.

        Args:
            model: Trained model.
            config: Config of the run.
            inputs: Sentences.
            n_best: Number of translations per sentence, at most `beam_width`.
            beam_width: Beam width.
            length_penalty: Length penalty; larger values favor longer translations.
            picture: Folder for plots of the attention of the best. Default: no plots.
        """
        n_best_lists = model.translate_n_best(
            list(inputs),
            n_best=n_best,
            beam_width=beam_width,
            length_penalty=length_penalty,
            copy_unknown=True,
            return_attention_scores=picture is not None,
        )
        for text, candidates in zip(inputs, n_best_lists, strict=True):
            plot = {}
            if picture is not None:
                path = plots.plot_path(picture, text)
                plots.attention(candidates[:1], path)
                plot = {"attention": str(path) if path.is_file() else "no output"}
            for candidate in candidates:
                yield {
                    "text": text,
                    "translation": candidate.text,
                    "score": float(candidate.score),
                    **plot,
                }

    def demo(self, model: Seq2Seq, config: Config) -> "Panel":
        """Return a panel with a sentence as input and its n-best translations as output."""
        from keras_seq.demo.panels import seq2seq_panel

        return seq2seq_panel(model, copy_unknown=True)
