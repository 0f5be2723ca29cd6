"""Settings that must be made before Keras is imported."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Under JAX these tests spend their time compiling, not computing.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")
