"""Template features as strings, for the classical tagger of `benchmarks.small_data`."""

from benchmarks.template_strings import template_strings
from keras_seq import layers

SENTENCES = [["80", "Main", "St.,"], ["Ada", "slept", "in", "Main", "Road", "80a"], ["-"]]


def test_there_are_as_many_as_in_the_layer():
    strings = {text for tokens in SENTENCES for row in template_strings(tokens) for text in row}
    layer = layers.TemplateFeatures.from_examples(SENTENCES, 2)
    assert len(strings) == len(layer.keys)
