"""What it says of a sentence."""

EXAMPLES = ["江泽民在上海会见了新华社记者。", "黄山先生说黄山风景好。"]


def predict(model, config, inputs):
    """The entities of every sentence, where they are, and how sure the model is."""
    for text, found in zip(inputs, model.tag(list(inputs)), strict=True):
        for span in found:
            yield {
                "text": text,
                "entity": span.text,
                "label": span.label,
                "start": span.start,
                "end": span.end,
                "score": f"{span.score:.3f}",
            }
