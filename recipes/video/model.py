"""The model: a video classifier."""

from keras_seq._internal.errors import InputError
from keras_seq.models import VideoClassifier
from keras_seq.train.loop import adam_w


def build(config, train):
    """A classifier that knows the labels and the frames of the training clips."""
    labels = sorted(set(train.targets))
    if len(labels) < 2:
        raise InputError(
            f"All training clips have one label, {labels[0]!r}; there is nothing to learn."
        )
    model = VideoClassifier(
        train.inputs[0].shape[1:],
        labels,
        encoder=config.encoder,
        frozen=config.pretrained,
        pairs=config.pairs,
        channels=config.channels,
        features=config.features,
        cell=config.cell,
        units=config.units,
        depth=config.layers,
        bidirectional=config.bidirectional,
        dropout=config.dropout,
        sampling={"rate": config.rate, "most": config.frames},
    )
    if config.pretrained:
        model.start_from_imagenet()
    optimizer = adam_w(config.learning_rate, config.updates, config.weight_decay)
    model.compile(optimizer, loss=model.loss_of_labels, metrics=["accuracy"])
    return model


def arrays(model, examples):
    """Clips and labels as the model is trained on them."""
    return model.encode(examples.inputs, examples.targets)
