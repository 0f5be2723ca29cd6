"""A finished run in the browser: ask it, and see inside; what `keras-seq demo` shows."""
