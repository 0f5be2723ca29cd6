"""Data-parallel training: a replica of the model on each device, a shard of every batch for each.

TensorFlow's distribution strategies keep the replicas equal while Keras's `fit` trains them. The
model is evaluated and saved without a strategy, as after training on one device.
"""

import contextlib
import dataclasses
import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from keras_seq._internal import keras_compat, startup
from keras_seq._internal.errors import InputError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from keras_seq._internal.types import Array
    from keras_seq.batching import EncodedDataset
    from keras_seq.train.config import Config
    from keras_seq.train.reporter import Reporter

Kind = Literal["mirrored", "multiworker"] | None
"""Value of `--distribute`."""
Worker = tuple[str, int]
"""Type and index of a process in TF_CONFIG."""
CLUSTER_VARIABLE = "TF_CONFIG"
KERASTUNER_VARIABLES = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
"""Environment variables of keras-tuner: name of this process, and host and port of the chief."""


def is_chief(kind: Kind) -> bool:
    """Return whether this process evaluates and saves. Of several workers, only one does."""
    if kind != "multiworker":
        return True
    workers, this_worker = _read_cluster()
    return this_worker == workers[0]


def tuning_role() -> Literal["chief", "worker"] | None:
    """Return the role of this process in a search; None if it is alone.

    keras-tuner's environment variables state the role.

    Raises:
        InputError: If only some of the three variables are set, or the port is not a number.
    """
    missing = [name for name in KERASTUNER_VARIABLES if not os.environ.get(name)]
    if len(missing) == len(KERASTUNER_VARIABLES):
        return None
    if missing:
        raise InputError(
            f"The environment variables {', '.join(KERASTUNER_VARIABLES)} go together: set "
            f"{' and '.join(missing)} too."
        )
    if not (port := os.environ[KERASTUNER_VARIABLES[2]]).isdecimal():
        raise InputError(f"{KERASTUNER_VARIABLES[2]} must be a number, got {port!r}.")
    return "chief" if "chief" in os.environ[KERASTUNER_VARIABLES[0]] else "worker"


def start_backend(kind: Kind, reporter: "Reporter") -> "Devices | None":
    """Import the backend and return the devices to train on, which are reported.

    Args:
        kind: As for `make_devices`.
        reporter: Reporter.

    Returns:
        Devices, or None without a kind.
    """
    reporter.start_phase("importing Keras")
    if kind == "multiworker":
        reporter.report_text(f"This is {_describe_worker()}. Waiting for the other workers.")
    devices = startup.import_backend(lambda: make_devices(kind))
    if devices is not None:
        reporter.report_text(f"Training on {devices}.")
    return devices


def _describe_worker() -> str:
    workers, this_worker = _read_cluster()
    return f"worker {workers.index(this_worker)} of {len(workers)}"


@functools.cache  # two strategies in one process interfere with each other
def make_devices(kind: Kind) -> "Devices | None":
    """Return the devices for a kind of distribution. TensorFlow must not have used them before.

    Args:
        kind: "mirrored" for all devices of this machine; "multiworker" for the processes in the
            environment variable TF_CONFIG, once all are connected; None for no distribution.

    Raises:
        InputError: If the backend is not TensorFlow, or TF_CONFIG is not valid.
    """
    if kind is None:
        return None
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"--distribute needs Keras's TensorFlow backend, got {keras.backend.backend()}."
        )
    if kind == "mirrored":
        names = [
            device.name.removeprefix("/device:")
            for device in tf.config.list_logical_devices("GPU")
            or tf.config.list_logical_devices("CPU")
        ]
        return Devices(tf.distribute.MirroredStrategy(names), ", ".join(names))
    workers, this_worker = _read_cluster()
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (RuntimeError, tf.errors.OpError) as error:
        raise InputError(f"Cannot connect the workers of {CLUSTER_VARIABLE}: {error}") from None
    is_first = this_worker == workers[0]
    return Devices(strategy, _describe_worker(), multi_worker=len(workers) > 1, chief=is_first)


@dataclasses.dataclass(frozen=True)
class Devices:
    """Devices that share the batches of a training.

    Args:
        strategy: Distribution strategy.
        description: Names of the devices, or index of this worker.
        multi_worker: Whether there are several workers.
        chief: Whether this process evaluates and saves.
    """

    strategy: "tf.distribute.Strategy"
    description: str
    multi_worker: bool = False
    chief: bool = True

    def __str__(self) -> str:
        count = self.strategy.num_replicas_in_sync
        return f"{count} device{'s' * (count > 1)}: {self.description}"

    def check(self, config: "Config") -> None:
        """Check that a config can be trained on the devices.

        Raises:
            InputError: If the batch size is not a multiple of the number of devices, or several
                workers would have to end early.
        """
        for option, value in {"patience": config.patience, "time-limit": config.time_limit}.items():
            if value and self.multi_worker:
                raise InputError(
                    f"--{option} ends the training of a single process; leave it out with several "
                    "workers."
                )
        count, batch_size = self.strategy.num_replicas_in_sync, config.batch_size
        if batch_size is not None and batch_size % count:
            raise InputError(
                f"--batch-size must be a multiple of {count}, the number of devices, got "
                f"{batch_size}. The next multiple is {-(-batch_size // count) * count}."
            )

    def fit(
        self,
        model: "keras.Model",
        build: "Callable[[], keras.Model]",
        examples: "EncodedDataset",
        batches: "Callable[..., tf.data.Dataset]",
        must_match: Mapping[str, int],
        **fit_options: Any,
    ) -> None:
        """Train a replica of a model on each device.

        The model itself does not change: a callback has to copy the weights of the replicas.

        Args:
            model: Compiled model, whose state the replicas start from.
            build: Function that builds another model with the same architecture.
            examples: Training examples.
            batches: Function from `shards` and `num_shards` to a dataset, as
                `keras_seq.batching.make_batches`.
            must_match: Settings that must be equal for all workers: name to integer.
            **fit_options: Further arguments of Keras's `fit`.

        Raises:
            InputError: If settings of the workers differ, or a worker has stopped.
        """
        from keras_seq.train import state

        with self._translate_errors():
            self._check_match(must_match)
            replicas = self._build_replicas(build, examples)
            state.set_state(replicas, state.get_state(model))
            self._offset_seeds(replicas)
            replicas.fit(self._distribute(batches), **fit_options)

    def wait(self) -> None:
        """Wait until all workers have called this method.

        Raises:
            InputError: If a worker has stopped.
        """
        with self._translate_errors():
            self._gather([0])

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        import tensorflow as tf

        try:
            yield
        except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError):
            if not self.multi_worker:
                raise
            raise InputError(
                "Another worker has stopped. Start all workers again with --resume to continue "
                "from the last epoch."
            ) from None

    def _gather(self, values: Sequence[int]) -> "Array":
        """Return the values of all workers, `(workers, values)`."""
        import tensorflow as tf

        own = tf.constant([values], tf.int64)
        return self.strategy.gather(self.strategy.run(lambda: own), axis=0).numpy()

    def _check_match(self, must_match: Mapping[str, int]) -> None:
        columns = self._gather(list(must_match.values())).T.tolist()
        for name, values in zip(must_match, columns, strict=True):
            if len(set(values)) > 1:
                raise InputError(
                    f"All workers must have the same {name}, got {values}. Start them with the "
                    "same command, data and code."
                )

    def _build_replicas(
        self, build: "Callable[[], keras.Model]", examples: "EncodedDataset"
    ) -> "keras.Model":
        """Return a model with a replica on each device, ready for `fit`."""
        import tensorflow as tf

        with self.strategy.scope():
            model = build()
            model.optimizer.build(model.trainable_variables)
            data: tuple[Any, ...] = (examples.inputs, examples.targets)
            if examples.weights is not None:
                data = (*data, examples.weights)
            two_rows = tf.nest.map_structure(lambda array: tf.convert_to_tensor(array[:2]), data)
            keras_compat.build_for_workers(model, two_rows)
        keras_compat.clip_summed_gradients(model.optimizer)
        if self.multi_worker:
            step = model.train_step
            # With several workers, `fit` averages the results of a step over their first axis.
            model.train_step = lambda data: {
                name: tf.reshape(value, [1]) for name, value in step(data).items()
            }
        return model

    def _offset_seeds(self, model: "keras.Model") -> None:
        """Give each replica different random seeds, so that the dropout masks differ."""
        import tensorflow as tf

        weights = {id(weight) for weight in model.weights}
        seeds = [variable for variable in model.variables if id(variable) not in weights]

        def on_device() -> None:
            replica_id = tf.distribute.get_replica_context().replica_id_in_sync_group
            for seed in seeds:
                seed.assign(seed + tf.cast(replica_id * 1_000_003, seed.dtype))

        self.strategy.run(on_device)

    def _distribute(self, batches: "Callable[..., tf.data.Dataset]") -> Any:
        """Return the batches of this worker, of which each device gets its shard."""

        def shards_of_worker(context: "tf.distribute.InputContext") -> "tf.data.Dataset":
            num_shards = context.num_replicas_in_sync
            num_local = num_shards // context.num_input_pipelines
            first = context.input_pipeline_id * num_local
            return batches(shards=range(first, first + num_local), num_shards=num_shards)

        return self.strategy.distribute_datasets_from_function(shards_of_worker)


def _read_cluster() -> tuple[list[Worker], Worker]:
    """Return the workers of TF_CONFIG, the chief first, and this process among them."""
    try:
        config = json.loads(os.environ.get(CLUSTER_VARIABLE, ""))
        cluster, task = config["cluster"], config["task"]
        workers = [
            (kind, index)
            for kind in ("chief", "worker")
            for index in range(len(cluster.get(kind, [])))
        ]
        this_worker = (task["type"], task["index"])
        is_valid = this_worker in workers
    except (ValueError, KeyError, TypeError, AttributeError):
        is_valid = False
    if not is_valid:
        raise InputError(
            f"--distribute multiworker needs the environment variable {CLUSTER_VARIABLE}, such as "
            '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}. Every worker has its own index.'
        )
    return workers, this_worker
