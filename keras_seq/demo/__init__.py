"""Demo page of a finished run, served by `keras-seq demo`."""
