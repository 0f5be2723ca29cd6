"""Layers for text."""

import keras

from keras_seq.text.encoder import TextEncoder
from keras_seq.text.tags import TagSet

# Keras saves objects of these classes in the configurations of layers and models.
for serializable in (TextEncoder, TagSet):
    keras.saving.register_keras_serializable(package="keras_seq")(serializable)
