"""Check that the transcripts of the training split fit in their recordings, as CTC requires."""

import itertools
from collections.abc import Sequence

from keras_seq import InputError
from keras_seq.batching import RawExamples
from keras_seq.data import ReadSummary, row_errors, summaries
from keras_seq.train.recipe import Splits

from .config import STEP_SECONDS, Config


def check_alignments(config: Config, splits: Splits, places: Sequence[str] | None = None) -> Splits:
    """Return the splits without training recordings that are too short for their transcripts.

    A model would train on them with a constant loss of 1e5. In other splits they count as mistakes.

    Args:
        config: Config of the run.
        splits: Recordings `(samples,)` with transcripts.
        places: File and line of each training recording. Default: their numbers.

    Raises:
        InputError: If a recording is too short, unless the Config states that errors are skipped.
    """
    if "train" not in splits:
        return splits
    train, kept = splits["train"], []
    bad_rows = row_errors.BadRows()
    step = config.frame_stack * round(STEP_SECONDS * config.sample_rate)
    for index, (samples, text) in enumerate(zip(train.inputs, train.targets, strict=True)):
        # CTC needs a blank between two equal characters.
        needed = len(text) + sum(a == b for a, b in itertools.pairwise(text))
        steps = max(-(-len(samples) // step), 1)
        if needed <= steps:
            bad_rows.num_good += 1
            kept.append(index)
            continue
        place = f"{config.data}, training example {index + 1}" if places is None else places[index]
        bad_rows.add(
            InputError(
                f"{place}: the transcript {text[:40]!r} needs {needed} time steps, but its "
                f"recording of {len(samples) / config.sample_rate:.2f} s has {steps}. Check that "
                "they belong together, or reduce --frame-stack."
            )
        )
    if not bad_rows.num_bad:
        return splits
    kind = "recordings that are long enough for their transcripts"
    summaries.add(bad_rows.finish(ReadSummary(config.data, kind, len(kept))))
    columns = ([column[index] for index in kept] for column in (train.inputs, train.targets))
    return {**splits, "train": RawExamples(*columns)}
