"""Dynamic batching of requests with similar lengths.

Each signature of a model has buckets. Instances of similar length wait in one bucket, for at most a
few milliseconds, and run as one batch, so that short texts are not padded to a long one. The number
of concurrent batches per model is limited.
"""

import asyncio
import dataclasses
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from starlette.exceptions import HTTPException

from keras_seq._internal.types import Array
from keras_seq.serving.limits import Limits
from keras_seq.serving.metrics import SignatureMetrics

MAX_BATCH_ELEMENTS = 65_536
"""Maximum number of instances times length per batch, which limits its memory."""

MIN_BUCKET_BYTES = 32
"""Length of the first bucket of texts, in bytes. All shorter texts share it."""

Arrays = dict[str, Array]
"""Arrays by name of the input or output."""


class BatchedFunction(Protocol):
    """Function from arrays to arrays, such as `keras_seq.serving.models.Signature`."""

    is_rowwise: bool
    """Whether each output row depends only on the same input row."""
    padded_outputs: list[str]
    """Names of outputs whose length depends on the longest text of the batch."""

    def __call__(self, arrays: Arrays) -> Arrays: ...


class ExecutionSlots:
    """Slots for the concurrent batches of one model, and their threads.

    Slots are not shared between models, so a slow model cannot take all threads. Waiting batches
    get a slot in order of arrival.

    Args:
        num_slots: Number of concurrent batches.
    """

    def __init__(self, num_slots: int) -> None:
        self.semaphore = asyncio.Semaphore(num_slots)
        self.threads = ThreadPoolExecutor(num_slots, "keras_seq.serving")


@dataclasses.dataclass(eq=False)
class BatchItem:
    """Instances of one request in one bucket."""

    arrays: Arrays
    rows: Array
    """Indices of the instances in the request."""
    result: "asyncio.Future[Arrays]"


class Bucket:
    """Queue of items that can run in one batch.

    Args:
        max_rows: Maximum number of instances per batch.
    """

    def __init__(self, max_rows: int) -> None:
        self.max_rows, self.num_workers = max_rows, 0
        self.items: deque[BatchItem] = deque()

    def is_full(self) -> bool:
        """Return whether there are enough items for a full batch."""
        return sum(len(item.rows) for item in self.items) >= self.max_rows

    def take(self) -> list[BatchItem]:
        """Remove and return the items of the next batch, without cancelled ones."""
        batch: list[BatchItem] = []
        num_rows = 0
        while self.items and (not batch or num_rows + len(self.items[0].rows) <= self.max_rows):
            item = self.items.popleft()
            if not item.result.done():
                batch.append(item)
                num_rows += len(item.rows)
        return batch


class Batcher:
    """Batcher of the requests for one signature.

    Args:
        signature: Function that runs a batch, called in a thread.
        limits: Limits on requests.
        metrics: Metrics of the signature.
        slots: Execution slots of the model.
    """

    def __init__(
        self,
        signature: BatchedFunction,
        limits: Limits,
        metrics: SignatureMetrics,
        slots: ExecutionSlots,
    ) -> None:
        self.signature, self.limits, self.metrics = signature, limits, metrics
        self.slots = slots
        self.is_batched = signature.is_rowwise and limits.max_batch_size > 1
        self._buckets: dict[Any, Bucket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._num_requests = 0

    async def __call__(self, arrays: Arrays) -> Arrays:
        """Return the outputs for the inputs of one request.

        Args:
            arrays: Inputs by name.

        Raises:
            InputError: If the model rejects the inputs.
            HTTPException: If too many requests wait, or an output has the wrong number of rows.
        """
        if self._num_requests >= self.limits.max_queue:
            raise HTTPException(
                429,
                f"{self._num_requests} requests are waiting: try again later.",
                {"Retry-After": "1"},
            )
        self._num_requests += 1
        self.metrics.waiting.inc()
        try:
            items = list(self._enqueue(arrays))
            outputs = await asyncio.gather(*(item.result for item in items))
        finally:
            self._num_requests -= 1
            self.metrics.waiting.dec()
        if not self.is_batched:
            return self._trim(outputs[0]) if self.signature.is_rowwise else outputs[0]
        order = np.argsort(np.concatenate([item.rows for item in items]))
        return self._trim(
            {name: pad_and_concatenate([o[name] for o in outputs])[order] for name in outputs[0]}
        )

    def _enqueue(self, arrays: Arrays) -> Iterator[BatchItem]:
        """Split the instances of a request into items, queue them, and yield them."""
        if not self.is_batched:
            yield self._add_item(None, 1, arrays, np.arange(1))
            return
        shapes: list[tuple[int, ...]] = []
        lengths: Any = 1
        for array in arrays.values():
            num_rows = len(array)
            if array.dtype == object:
                sizes = np.fromiter(map(len, array.flat), int).reshape(num_rows, -1).max(axis=1)
                # Bucket lengths are powers of two, so padding at most doubles a text.
                sizes = np.maximum(sizes, MIN_BUCKET_BYTES)
                lengths = np.maximum(lengths, 2 ** np.ceil(np.log2(sizes)))
            shapes.append(array.shape[1:])
        timesteps = max((max(shape, default=1) for shape in shapes), default=1)
        lengths = np.broadcast_to(np.maximum(lengths, timesteps).astype(int), num_rows)
        for length in sorted(set(lengths.tolist())):
            rows = np.flatnonzero(lengths == length)
            max_rows = max(1, min(self.limits.max_batch_size, MAX_BATCH_ELEMENTS // length))
            for start in range(0, len(rows), max_rows):
                chosen = rows[start : start + max_rows]
                subset = {name: array[chosen] for name, array in arrays.items()}
                yield self._add_item((length, *shapes), max_rows, subset, chosen)

    def _add_item(self, key: Any, max_rows: int, arrays: Arrays, rows: Array) -> BatchItem:
        """Queue an item in the bucket of a key, and start a worker if needed."""
        item = BatchItem(arrays, rows, asyncio.get_running_loop().create_future())
        bucket = self._buckets.setdefault(key, Bucket(max_rows))
        bucket.items.append(item)
        # Without batching, several requests run in parallel.
        if bucket.num_workers < (1 if self.is_batched else os.cpu_count() or 1):
            bucket.num_workers += 1
            task = asyncio.create_task(self._work(key, bucket))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return item

    async def _work(self, key: Any, bucket: Bucket) -> None:
        """Run batches of a bucket until it is empty."""
        try:
            while bucket.items:
                # A single request does not wait for others.
                if self.is_batched and self._num_requests > 1 and not bucket.is_full():
                    await asyncio.sleep(self.limits.batch_timeout_ms / 1000)
                # While this waits for a slot, more items arrive for the batch.
                async with self.slots.semaphore:
                    items = bucket.take()
                    if items:
                        await self._run(items)
        finally:
            bucket.num_workers -= 1
            if not bucket.num_workers:
                del self._buckets[key]

    async def _run(self, items: list[BatchItem]) -> None:
        """Run items as one batch. If it fails, run each item alone, to isolate the error."""
        try:
            outputs = await self._run_batch(items)
        except Exception as error:
            if len(items) > 1:
                for item in items:
                    await self._run([item])
            elif not items[0].result.done():
                items[0].result.set_exception(error)
            return
        for item, output in zip(items, outputs):
            if not item.result.done():
                item.result.set_result(output)

    async def _run_batch(self, items: list[BatchItem]) -> list[Arrays]:
        arrays = items[0].arrays
        if len(items) > 1:
            arrays = {name: np.concatenate([i.arrays[name] for i in items]) for name in arrays}
        loop = asyncio.get_running_loop()
        outputs = await loop.run_in_executor(self.slots.threads, self.signature, arrays)
        if not self.is_batched:
            return [outputs]
        ends = np.cumsum([len(item.rows) for item in items])
        self.metrics.batch_size.observe(ends[-1])
        for name, output in outputs.items():
            if len(output) != ends[-1]:
                raise HTTPException(
                    500,
                    f"The model's output {name!r} has {len(output)} rows for {ends[-1]} "
                    "instances: serve it with --max-batch-size 1.",
                )
        parts = {name: np.split(output, ends[:-1]) for name, output in outputs.items()}
        return [{name: part[i] for name, part in parts.items()} for i in range(len(items))]

    def _trim(self, outputs: Arrays) -> Arrays:
        """Remove the padding to longer texts of other requests.

        Outputs of equal length are trimmed together, to the last element that is not padding.
        """
        sizes = {name: outputs[name].shape[1] for name in self.signature.padded_outputs}
        for size in set(sizes.values()):
            group = [name for name in sizes if sizes[name] == size]
            is_used = np.zeros(size, bool)
            for name in group:
                is_filled = outputs[name] != (b"" if outputs[name].dtype == object else 0)
                is_used |= is_filled.any(axis=tuple(a for a in range(is_filled.ndim) if a != 1))
            end = int(np.flatnonzero(is_used).max(initial=-1)) + 1
            outputs |= {name: outputs[name][:, :end] for name in group}
        return outputs


def pad_and_concatenate(arrays: list[Array]) -> Array:
    """Concatenate the rows of arrays, padded at the end with empty strings or zeros.

    Args:
        arrays: Arrays `(rows, ...)` that may differ in the sizes of the first two axes.
    """
    first = arrays[0]
    if first.ndim < 2 or len({array.shape[1] for array in arrays}) == 1:
        return np.concatenate(arrays)
    num_rows, max_length = sum(map(len, arrays)), max(array.shape[1] for array in arrays)
    padding: Any = b"" if first.dtype == object else 0
    result = np.full((num_rows, max_length, *first.shape[2:]), padding, first.dtype)
    start = 0
    for array in arrays:
        result[start : start + len(array), : array.shape[1]] = array
        start += len(array)
    return result
