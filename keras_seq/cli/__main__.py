"""Run the command as `python -m keras_seq.cli`."""

import sys

from keras_seq.cli import main

sys.exit(main())
