"""SavedModels with signatures like those of exported models, and clients of a server."""

import asyncio
import contextlib

import httpx
import pytest

from keras_seq.serving import Limits
from keras_seq.serving.app import create_app


@pytest.fixture(scope="session")
def save():
    """Return a function that writes a SavedModel, whose outputs are multiplied by a factor."""
    import tensorflow as tf

    def spec(dtype, *shape, name):
        return tf.TensorSpec(shape, dtype, name)

    class Toy(tf.Module):
        def __init__(self, factor):
            self.factor = tf.Variable(float(factor))

        @tf.function(input_signature=[spec(tf.string, None, name="texts")])
        def spell(self, texts):
            tokens = tf.strings.unicode_split(texts, "UTF-8").to_tensor("")
            is_token = tokens != ""
            return {
                "tokens": tokens,
                "numbers": tf.where(is_token, self.factor * tf.cast(is_token, tf.float32), 0),
                "lengths": tf.reduce_sum(tf.cast(is_token, tf.int64), 1),
            }

        @tf.function(input_signature=[spec(tf.float32, None, None, 2, name="x")])
        def total(self, x):
            tf.debugging.assert_non_negative(x, "x must not be negative")
            return {"sums": self.factor * tf.reduce_sum(x, [1, 2])}

        @tf.function(
            input_signature=[
                spec(tf.string, None, name="prompts"),
                spec(tf.int32, name="max_length"),
            ]
        )
        def make(self, prompts, max_length):
            uniform = tf.random.stateless_uniform([tf.shape(prompts)[0], max_length], [1, 2])
            return {"texts": prompts + "!", "log_probs": -tf.math.log(tf.zeros_like(uniform))}

        @tf.function(input_signature=[spec(tf.string, None, name="image")])
        def echo(self, image):
            return {"image_bytes": image, "size": tf.strings.length(image)}

    def write(folder, factor=1):
        toy = Toy(factor)
        signatures = {name: getattr(toy, name) for name in ("spell", "total", "make", "echo")}
        signatures["serving_default"] = toy.spell
        tf.saved_model.save(toy, str(folder), signatures)
        return folder

    return write


@pytest.fixture(scope="session")
def toy(save, tmp_path_factory):
    return save(tmp_path_factory.mktemp("toy") / "toy")


@pytest.fixture(scope="session")
def twice(save, tmp_path_factory):
    return save(tmp_path_factory.mktemp("twice") / "toy", factor=2)


@contextlib.asynccontextmanager
async def _client_of(app):
    """Yield a client of an application that runs in this process."""
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://toy", timeout=60) as client,
    ):
        while (await client.get("/v2/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)
        yield client


@pytest.fixture(scope="session")
def client_of():
    return _client_of


@pytest.fixture
def session():
    """Return a function that runs an `async` test with a client of a server."""

    def run(test, folders, limits=None, **options):
        async def with_client():
            app = create_app(folders, limits or Limits(), poll_interval=0.02, **options)
            async with _client_of(app) as client:
                return await test(client)

        return asyncio.run(with_client())

    return run


@pytest.fixture(scope="session")
def ask(toy):
    """Return a function of method, address and body, to the status and JSON of the response."""
    app = create_app({"toy": toy})

    def run(method, address, **body):
        async def with_client():
            async with _client_of(app) as client:
                return await client.request(method, address, **body)

        answer = asyncio.run(with_client())
        return answer.status_code, answer.json()

    return run
