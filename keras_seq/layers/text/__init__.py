"""Layers for tokens."""

import keras

from keras_seq.text.encoder import TextEncoder
from keras_seq.text.tags import TagSet

# So that Keras can save them within the configuration of a layer or a model.
for part in (TextEncoder, TagSet):
    keras.saving.register_keras_serializable(package="keras_seq")(part)
