"""What it says of a sentence."""

EXAMPLES = ["A film to fall asleep in.", "I laughed until I cried."]


def predict(model, config, inputs):
    """The label of every sentence, how sure the model is, and the words that decided."""
    for text, found in zip(inputs, model.classify(list(inputs)), strict=True):
        row = {"text": text, "label": found.label, "probability": f"{found.probability:.3f}"}
        if found.words is not None:
            best = sorted(found.words, key=lambda pair: -pair[1])[:3]
            row["decided by"] = "  ".join(f"{token} {weight:.2f}" for token, weight in best)
        yield row
