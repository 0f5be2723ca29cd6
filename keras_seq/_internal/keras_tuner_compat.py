"""Private names of keras-tuner that keras-seq uses, each with its reason.

`tests/_internal/test_keras_tuner_compat.py` has a test for each, which fails when keras-tuner
changes it; no other file may mention one.
"""

from typing import Any

import numpy as np
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

# What a worker asks the chief by; keras-tuner gives it to its own tuners only.
from keras_tuner.src.distribute.oracle_client import OracleClient

__all__ = ["OracleClient", "OracleHooks", "answer_workers"]


def answer_workers(oracle: Any, server: Any) -> None:
    """Let a gRPC server answer the clients of an oracle.

    keras-tuner does so within a function that waits for its own tuners and then ends the process.

    Args:
        oracle: A `keras_tuner.Oracle`.
        server: A `grpc.Server` that has not started.
    """
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(oracle), server)


class OracleHooks:
    """Base to put before a `keras_tuner.Oracle`: public names for what the oracle keeps private.

    A subclass overrides `save_trial` and `random_values`.
    """

    _retry_queue: list[str]
    _run_times: dict[str, int]

    def save_trial(self, trial: Any) -> None:
        """Save a trial that has begun or ended; keras-tuner would write a file for each."""
        super()._save_trial(trial)  # type: ignore[misc]

    def _save_trial(self, trial: Any) -> None:
        self.save_trial(trial)

    def random_values(self) -> dict[str, Any] | None:
        """Return values by name for a trial, None if no new ones are found.

        keras-tuner asks for them wherever it draws, also for the first trial.
        """
        return super()._random_values()  # type: ignore[misc]

    def _random_values(self) -> dict[str, Any] | None:
        return self.random_values()

    @property
    def retry_queue(self) -> list[str]:
        """Return the ids of trials to begin again; only an error in a trial adds one by itself."""
        return self._retry_queue

    @property
    def run_times(self) -> dict[str, int]:
        """Return by id how often each trial has run; a lost worker has to be counted too."""
        return self._run_times

    def was_tried(self, values: dict[str, Any]) -> bool:
        """Return whether a trial had these values; the Bayesian oracle proposes them again."""
        return self._duplicate(values)  # type: ignore[attr-defined]

    def populate_at_random(self) -> dict[str, Any]:
        """Return what `populate_space` of the Bayesian oracle does before it knows anything."""
        return self._random_populate_space()  # type: ignore[attr-defined]

    def reseed(self, seed: int) -> None:
        """Set the random state of the Bayesian oracle, which is not saved with the search."""
        self._random_state = np.random.RandomState(seed)
