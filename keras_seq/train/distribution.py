"""Training on several devices: a copy of the model on each, a part of every batch for each.

TensorFlow's strategies keep the copies equal; Keras's `fit` trains under them. All else that is
done with a model (measuring, saving) is done with an ordinary one, as after any training.
"""

import contextlib
import dataclasses
import functools
import json
import os
from typing import Any, Literal

from keras_seq._internal import keras_compat
from keras_seq._internal.errors import InputError

VARIABLE = "TF_CONFIG"
TUNING_CLUSTER = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
"""keras-tuner's environment variables: name of a process, and address of the chief."""


def is_chief(kind):
    """Whether this process is the one that measures and writes; of several workers, the first."""
    if kind != "multiworker":
        return True
    workers, this_worker = _read_cluster()
    return this_worker == workers[0]


def tuning_role() -> Literal["chief", "worker"] | None:
    """Return the role of this process in a search, by keras-tuner's environment variables.

    Raises:
        InputError: If some of the three are set, but not all, or the port is no number.
    """
    missing = [name for name in TUNING_CLUSTER if not os.environ.get(name)]
    if len(missing) == len(TUNING_CLUSTER):
        return None
    if missing:
        raise InputError(
            f"Of {', '.join(TUNING_CLUSTER)}, {' and '.join(missing)} must be set too."
        )
    if not (port := os.environ[TUNING_CLUSTER[2]]).isdecimal():
        raise InputError(f"{TUNING_CLUSTER[2]} must be a number, not {port!r}.")
    return "chief" if "chief" in os.environ[TUNING_CLUSTER[0]] else "worker"


@functools.cache  # strategies of one process get into each other's way
def make_devices(kind):
    """All devices that a kind of distribution has, which TensorFlow must not have used before.

    Args:
        kind: "mirrored": those of this machine; "multiworker": those of the machines that the
            environment variable TF_CONFIG names, for which it waits; or None.

    Returns:
        `Devices`, or None for none.

    Raises:
        InputError: The backend is not TensorFlow, or TF_CONFIG makes no sense.
    """
    if kind is None:
        return None
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"--distribute needs Keras's TensorFlow backend, and this is {keras.backend.backend()}."
        )
    if kind == "mirrored":
        found = [
            device.name.removeprefix("/device:")
            for device in tf.config.list_logical_devices("GPU")
            or tf.config.list_logical_devices("CPU")
        ]
        return Devices(tf.distribute.MirroredStrategy(found), ", ".join(found))
    workers, this_worker = _read_cluster()
    text = f"worker {workers.index(this_worker)} of {len(workers)}"
    print(f"This is {text}, which waits for the others.", flush=True)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (RuntimeError, tf.errors.OpError) as error:
        raise InputError(f"The workers of {VARIABLE} do not come together: {error}") from None
    return Devices(strategy, text, multi_worker=len(workers) > 1, chief=this_worker == workers[0])


@dataclasses.dataclass(frozen=True)
class Devices:
    """The devices that share the batches of a training.

    Args:
        strategy: Of `tf.distribute`.
        text: What they are.
        multi_worker: Whether there are several workers.
        chief: Whether this process is the one that measures and writes.
    """

    strategy: Any
    text: str
    multi_worker: bool = False
    chief: bool = True

    def __str__(self):
        count = self.strategy.num_replicas_in_sync
        return f"{count} device{'s' * (count > 1)}: {self.text}"

    def check(self, batch_size):
        """Refuses batches that cannot be divided.

        Raises:
            InputError: So it is.
        """
        count = self.strategy.num_replicas_in_sync
        if batch_size % count:
            raise InputError(
                f"--batch-size {batch_size} cannot be divided among {count} devices; "
                f"{-(-batch_size // count) * count} can."
            )

    def fit(self, model, build, examples, batches, must_match, **fit_options):
        """Trains a copy of a model on each device; what it learns is for callbacks to fetch.

        Args:
            model: Compiled; the training begins with its state.
            build: Makes a model of the same kind.
            examples: `keras_seq.batching.EncodedDataset`, which it is trained on.
            batches: Makes a `tf.data.Dataset` of parts of batches; its arguments are `shards`
                and `num_shards`, as in `keras_seq.batching.make_batches`.
            must_match: Whole numbers by name, which must be the same for all workers.
            **fit_options: Of Keras's `fit`.

        Raises:
            InputError: The workers were not started alike, or one of them is gone.
        """
        from keras_seq.train import state

        with self._translate_errors():
            self._check_match(must_match)
            copy = self._build_replicas(build, examples)
            state.set_state(copy, state.get_state(model))
            self._offset_seeds(copy)
            copy.fit(self._distribute(batches), **fit_options)

    def wait(self):
        """Waits until all workers have come as far as this: none can do without the others.

        Raises:
            InputError: One of them is gone.
        """
        with self._translate_errors():
            self._gather([0])

    @contextlib.contextmanager
    def _translate_errors(self):
        import tensorflow as tf

        try:
            yield
        except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError):
            if not self.multi_worker:
                raise
            raise InputError(
                "Another worker is gone; started again with --resume, all of them go on from the "
                "last epoch."
            ) from None

    def _gather(self, numbers):
        """The whole numbers of all workers: a row each."""
        import tensorflow as tf

        mine = tf.constant([numbers], tf.int64)
        return self.strategy.gather(self.strategy.run(lambda: mine), axis=0).numpy()

    def _check_match(self, must_match):
        for name, numbers in zip(must_match, self._gather(list(must_match.values())).T.tolist()):
            if len(set(numbers)) > 1:
                raise InputError(f"The workers must be started alike, but the {name} is {numbers}.")

    def _build_replicas(self, build, examples):
        """A model with a copy on each device, ready for `fit`."""
        import tensorflow as tf

        with self.strategy.scope():
            model = build()
            model.optimizer.build(model.trainable_variables)
            data = examples.inputs, examples.targets
            few = tf.nest.map_structure(lambda array: tf.convert_to_tensor(array[:2]), data)
            keras_compat.build_for_workers(model, few)
        keras_compat.clip_summed_gradients(model.optimizer)
        if self.multi_worker:
            step = model.train_step
            # Of several workers, `fit` takes the mean over the first axis of what a step returns.
            model.train_step = lambda data: {
                name: tf.reshape(value, [1]) for name, value in step(data).items()
            }
        return model

    def _offset_seeds(self, model):
        """Lets the copies draw different random numbers, where they would draw the same."""
        import tensorflow as tf

        weights = {id(weight) for weight in model.weights}
        random = [variable for variable in model.variables if id(variable) not in weights]

        def on_device():
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            for seed in random:
                seed.assign(seed + tf.cast(number * 1_000_003, seed.dtype))

        self.strategy.run(on_device)

    def _distribute(self, batches):
        def of_worker(context):
            num_shards = context.num_replicas_in_sync
            num_local = num_shards // context.num_input_pipelines
            first = context.input_pipeline_id * num_local
            return batches(shards=range(first, first + num_local), num_shards=num_shards)

        return self.strategy.distribute_datasets_from_function(of_worker)


def _read_cluster():
    """The workers of TF_CONFIG, the chief first, and this one; each a kind and a number."""
    try:
        config = json.loads(os.environ.get(VARIABLE, ""))
        cluster, task = config["cluster"], config["task"]
        workers = [
            (kind, number)
            for kind in ("chief", "worker")
            for number in range(len(cluster.get(kind, [])))
        ]
        this_worker = (task["type"], task["index"])
        known = this_worker in workers
    except (ValueError, KeyError, TypeError, AttributeError):
        known = False
    if not known:
        raise InputError(
            f"--distribute multiworker needs {VARIABLE}, such as "
            '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}, with an index of its own for every worker.'
        )
    return workers, this_worker
