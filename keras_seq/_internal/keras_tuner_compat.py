"""Private names of keras-tuner that keras-seq uses, each with its reason.

`tests/_internal/test_keras_tuner_compat.py` has a test for each name, which fails when keras-tuner
changes it. No other file may use one.
"""

from typing import Any

import numpy as np
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

# A worker's connection to the chief, which keras-tuner creates for its own tuners only.
from keras_tuner.src.distribute.oracle_client import OracleClient

__all__ = ["OracleClient", "OracleHooks", "answer_workers"]


def answer_workers(oracle: Any, server: Any) -> None:
    """Register an oracle with a gRPC server, which then answers its clients.

    The function of keras-tuner also waits for its own tuners and then ends the process.

    Args:
        oracle: Instance of `keras_tuner.Oracle`.
        server: Instance of `grpc.Server` that has not started.
    """
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(oracle), server)


class OracleHooks:
    """Mixin with public names for private members of a `keras_tuner.Oracle`, to place before it.

    A subclass overrides `save_trial` and `random_values`.
    """

    _retry_queue: list[str]
    _run_times: dict[str, int]

    def save_trial(self, trial: Any) -> None:
        """Save a trial that started or ended; keras-tuner would write one file per trial."""
        super()._save_trial(trial)  # type: ignore[misc]

    def _save_trial(self, trial: Any) -> None:
        self.save_trial(trial)

    def random_values(self) -> dict[str, Any] | None:
        """Return random values by name for a trial, None if there are no new ones.

        keras-tuner calls this for all random values, also for those of the first trial.
        """
        return super()._random_values()  # type: ignore[misc]

    def _random_values(self) -> dict[str, Any] | None:
        return self.random_values()

    @property
    def retry_queue(self) -> list[str]:
        """Return the ids of trials to restart; keras-tuner adds only trials with an error."""
        return self._retry_queue

    @property
    def run_times(self) -> dict[str, int]:
        """Return the number of runs of each trial by id; runs of lost workers must be added."""
        return self._run_times

    def was_tried(self, values: dict[str, Any]) -> bool:
        """Return whether a trial had these values; the Bayesian oracle may propose them again."""
        return self._duplicate(values)  # type: ignore[attr-defined]

    def populate_at_random(self) -> dict[str, Any]:
        """Return the result of the Bayesian oracle's `populate_space` before its first results."""
        return self._random_populate_space()  # type: ignore[attr-defined]

    def reseed(self, seed: int) -> None:
        """Set the random state of the Bayesian oracle, which is not saved with the search."""
        self._random_state = np.random.RandomState(seed)
