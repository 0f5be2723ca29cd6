"""Model repositories of the Hugging Face Hub, as places to which runs are pushed."""

import contextlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from keras_seq._internal.errors import InputError
from keras_seq.data import network
from keras_seq.train.storages import Storage, call_with_timeout, read_with_timeout, translate_errors

PREFIX = "hf:"
"""Prefix of addresses of the Hub."""
LOGIN = "Log in with `hf auth login`, or set HF_TOKEN."

T = TypeVar("T")


class HubRepository(Storage):
    """Model repository of the Hugging Face Hub.

    >>> HubRepository("hf:owner/name@main").default_name
    'name'

    Args:
        address: `hf:OWNER/NAME`, or `hf:OWNER/NAME@REVISION` to read another branch, tag or commit.
        private: Whether a new repository is private.
    """

    advice = "check the address; for a private repository, log in with `hf auth login`"

    def __init__(self, address: str, private: bool = False) -> None:
        super().__init__(address)
        match = re.fullmatch(r"hf:(\w[\w.-]*/\w[\w.-]*)(?:@(\w[\w./-]*))?", address, re.ASCII)
        if match is None or ".." in address:
            raise InputError(
                f"{address!r} is not the address of a repository: write hf:OWNER/NAME or "
                "hf:OWNER/NAME@REVISION."
            )
        self._repository, self._revision = match[1], match[2]
        self._private = private
        self._commit: str | None = None
        try:
            import huggingface_hub
        except ImportError:
            raise InputError(
                f"{address} needs the package huggingface_hub: run pip install 'keras-seq[share]'."
            ) from None
        self._hub: Any = huggingface_hub
        self._api = huggingface_hub.HfApi(library_name="keras-seq")

    @property
    def default_name(self) -> str:
        """Name of the repository, without owner and revision."""
        return self._repository.split("/")[1]

    def list_files(self) -> dict[str, int]:
        """Return the sizes of the files, as `Storage` describes."""
        constants = self._hub.constants
        if constants.HF_HUB_OFFLINE or not network.is_reachable(constants.ENDPOINT):
            raise InputError(
                f"{self.address} cannot be reached: the network is unavailable, or HF_HUB_OFFLINE "
                "is set."
            )
        try:
            info = self._call(
                lambda: self._api.model_info(
                    self._repository,
                    revision=self._revision,
                    timeout=network.TIMEOUT_SECONDS,
                    files_metadata=True,
                )
            )
        except InputError as error:
            if isinstance(error.__cause__, self._hub.errors.RepositoryNotFoundError):
                return {}
            raise
        self._commit = info.sha
        return {file.rfilename: file.size or 0 for file in info.siblings or ()}

    def _call(self, function: Callable[[], T]) -> T:
        return call_with_timeout(self.address, function)

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file of the commit that `list_files` saw."""
        path = f"{self._repository}@{self._commit}/{name}"
        return read_with_timeout(
            self.address, lambda: self._hub.HfFileSystem().open(path, "rb", block_size=0)
        )

    def write(self, new: Mapping[str, Path], old: Collection[str]) -> None:
        """Write files in one commit. A missing repository is created."""
        if self._revision is not None:
            raise InputError(f"{self.address} names a revision; push to hf:{self._repository}.")
        operations = [
            *(self._hub.CommitOperationDelete(name) for name in old),
            *(self._hub.CommitOperationAdd(name, str(path)) for name, path in new.items()),
        ]
        with self._explain_refusal():
            if self._commit is None:
                private = True if self._private else None  # None: as the owner has set
                self._call(lambda: self._api.create_repo(self._repository, private=private))
            with translate_errors(self.address):
                self._api.create_commit(
                    self._repository,
                    operations,
                    commit_message="Push a run of keras-seq",
                    parent_commit=self._commit,
                )

    @contextlib.contextmanager
    def _explain_refusal(self) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            response = getattr(error.__cause__, "response", None)
            if getattr(response, "status_code", None) in (401, 403):
                raise InputError(
                    f"The Hugging Face Hub refuses to write {self.address}. {LOGIN}"
                ) from error
            raise
