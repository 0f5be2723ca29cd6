"""Push and pull of runs: local folders, file systems of fsspec, and a stand-in for the Hub."""

import io
import json
import os
import time
import types
from pathlib import Path
from unittest import mock

import fsspec
import huggingface_hub
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, errors, hf_api
from run_cases import make_run

from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.data import limits, network
from keras_seq.train import pull_run, sharing, storages

PUSHED = ["README.md", "config.json", "history.csv", "metrics.json", "model.keras"]
EXPORT = "savedmodel/variables/index"


@pytest.fixture
def trained(workplace):
    return make_run(Path("runs/ner/small"))


class FakeHub:
    """Model repositories in memory, behind functions with the signatures of `huggingface_hub`."""

    def __init__(self, monkeypatch):
        self.repositories = {}
        self.commits = []
        self.refusal = None
        monkeypatch.setattr(network, "is_reachable", lambda url: True)
        for name in ("model_info", "create_repo", "create_commit"):
            self._replace(monkeypatch, hf_api.HfApi, name, getattr(self, name))
        self._replace(monkeypatch, huggingface_hub.HfFileSystem, "open", self.open)

    @staticmethod
    def _replace(monkeypatch, owner, name, function):
        replacement = mock.create_autospec(getattr(owner, name), side_effect=function)
        monkeypatch.setattr(owner, name, replacement)

    def model_info(self, _, repo_id, *, revision=None, timeout=None, files_metadata=False):
        assert timeout <= 10 and files_metadata
        if repo_id not in self.repositories:
            error = errors.RepositoryNotFoundError.__new__(errors.RepositoryNotFoundError, "404")
            raise error
        contents = self.repositories[repo_id]
        siblings = [hf_api.RepoSibling(name, size=len(data)) for name, data in contents.items()]
        return types.SimpleNamespace(sha=f"sha-{revision}", siblings=siblings)

    def create_repo(self, _, repo_id, *, private=None):
        if self.refusal:
            raise self.refusal
        self.repositories[repo_id] = {".gitattributes": b"lfs"}
        self.private = private

    def create_commit(self, _, repo_id, operations, *, commit_message, parent_commit=None):
        if self.refusal:
            raise self.refusal
        self.commits.append((commit_message, parent_commit))
        contents = dict(self.repositories[repo_id])
        for operation in operations:
            if isinstance(operation, CommitOperationDelete):
                del contents[operation.path_in_repo]
            else:
                assert isinstance(operation, CommitOperationAdd)
                contents[operation.path_in_repo] = Path(operation.path_or_fileobj).read_bytes()
        self.repositories[repo_id] = contents

    def open(self, _, path, mode="rb", block_size=None):
        assert mode == "rb" and block_size == 0, "read as a stream"
        owner, name_and_revision, file = path.split("/")
        name, _, revision = name_and_revision.partition("@")
        assert revision.startswith("sha-"), "files of one commit"
        return io.BytesIO(self.repositories[f"{owner}/{name}"][file])


@pytest.fixture
def hub(monkeypatch):
    return FakeHub(monkeypatch)


@pytest.fixture
def memory_system():
    """Return the file system `memory://` of fsspec, which is empty."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture(params=["folder", "memory", "hub"])
def place(request, workplace):
    """Return an address, and a function that lists its files."""
    if request.param == "folder":
        return "out/shared", lambda: sorted(
            path.relative_to("out/shared").as_posix()
            for path in Path("out/shared").rglob("*")
            if path.is_file()
        )
    if request.param == "memory":
        memory_system = request.getfixturevalue("memory_system")
        return "memory://out/shared", lambda: sorted(
            name.removeprefix("/out/shared/") for name in memory_system.store
        )
    hub = request.getfixturevalue("hub")
    return "hf:me/shared", lambda: sorted(
        name for name in hub.repositories.get("me/shared", ()) if name != ".gitattributes"
    )


def write(address, name, content):
    """Change a file at an address."""
    if address.startswith("hf:"):
        hub = huggingface_hub.HfApi.model_info.side_effect.__self__
        hub.repositories["me/shared"][name] = content
    else:
        with fsspec.open(f"{address}/{name}", "wb") as file:
            file.write(content)


def test_a_run_is_pushed_and_pulled(trained, place, capsys):
    address, list_files = place
    assert cli.main(["push", str(trained.folder), address]) == 0
    assert list_files() == sorted([*PUSHED, EXPORT])
    assert "keras-seq pull" in capsys.readouterr().out
    assert cli.main(["pull", address]) == 0
    pulled = Path("runs/ner/shared")
    assert "keras-seq predict runs/ner/shared INPUT" in capsys.readouterr().out
    assert sorted(path.name for path in pulled.iterdir()) == PUSHED, "no exports"
    for name in PUSHED:
        assert (pulled / name).read_bytes() == (trained.folder / name).read_bytes()
    assert pull_run(address, "again", "elsewhere") == Path("elsewhere/ner/again")
    with pytest.raises(InputError, match="runs/ner/shared exists already; give another name"):
        pull_run(address)
    assert sorted(path.name for path in Path("runs/ner").iterdir()) == ["shared", "small"]


def test_only_the_same_run_is_pushed_again(trained, place):
    address, list_files = place
    trained.push(address)
    (trained.folder / "README.md").write_text("mine")
    (trained.folder / EXPORT).unlink()
    trained.push(address)
    assert list_files() == PUSHED
    other = make_run(Path("runs/ner/other"))
    other.run.start("ner", "default", other.info.preset("large"))
    with pytest.raises(InputError, match="holds another run; add --overwrite"):
        other.push(address)
    assert list_files() == PUSHED
    other.push(address, overwrite=True)
    assert list_files() == sorted([*PUSHED, EXPORT])
    pulled = pull_run(address)
    assert (pulled / "config.json").read_bytes() == (other.folder / "config.json").read_bytes()
    assert (pulled / "README.md").read_text() != "mine"


def test_an_interrupted_push_leaves_nothing(trained, place, monkeypatch):
    address, list_files = place
    storage = type(sharing.open_storage(address))

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    target = {
        storages.LocalFolder: ("keras_seq.train.storages.shutil.copyfile", interrupt),
        storages.FsspecFolder: ("fsspec.implementations.memory.MemoryFile.close", fail),
    }.get(storage, ("huggingface_hub.HfApi.create_commit", interrupt))
    with monkeypatch.context() as patch, pytest.raises((KeyboardInterrupt, InputError)):
        patch.setattr(*target)
        trained.push(address)
    assert list_files() == [] and not Path("out").exists()
    trained.push(address)
    before = list_files()
    with monkeypatch.context() as patch, pytest.raises((KeyboardInterrupt, InputError)):
        patch.setattr(*target)
        trained.push(address)
    assert list_files() == before
    assert pull_run(address).is_dir(), "the earlier one is complete"


def fail(*_, **__):
    raise OSError("connection lost")


def test_metrics_json_is_written_last_and_removed_first(trained, memory_system, monkeypatch):
    trained.push("memory://shared")
    moved = []
    move = type(memory_system).mv

    def stop_before_the_last(system, source, target, **options):
        assert "/shared/metrics.json" not in memory_system.store
        if len(moved) == 3:
            raise OSError("connection lost")
        moved.append(target)
        move(system, source, target, **options)

    with monkeypatch.context() as patch, pytest.raises(InputError, match="connection lost"):
        patch.setattr(type(memory_system), "mv", stop_before_the_last)
        trained.push("memory://shared")
    with pytest.raises(InputError, match="is not a finished run: it has no metrics"):
        pull_run("memory://shared")
    trained.push("memory://shared")
    assert pull_run("memory://shared").is_dir() and "writing" not in str([*memory_system.store])


def test_an_interrupted_or_cut_pull_leaves_nothing(trained, place, monkeypatch):
    address, _ = place
    trained.push(address)
    storage = type(sharing.open_storage(address))
    read = storage.read

    def interrupt(self, name):
        if name == "model.keras":
            yield b"half"
            raise KeyboardInterrupt
        yield from read(self, name)

    def cut(self, name):
        yield from read(self, name) if name != "model.keras" else [b"half"]

    def lengthen(self, name):
        yield from read(self, name)
        while name == "model.keras":
            yield b"more"

    for replacement, expected, message in (
        (interrupt, KeyboardInterrupt, None),
        (cut, InputError, "model.keras has less than the .* bytes that are listed"),
        (lengthen, InputError, "model.keras has more than the .* bytes that are listed"),
    ):
        with monkeypatch.context() as patch, pytest.raises(expected, match=message):
            patch.setattr(storage, "read", replacement)
            pull_run(address, runs_folder="new")
        assert not Path("new").exists()


HOSTILE = {
    "a cut model": ("model.keras", b"PK", "model.keras is damaged"),
    "a changed metric": ("metrics.json", b'{"f1": 1, "checksum": "0"}', "does not match its"),
    "a deep config": ("config.json", b"[" * 10_000, "config.json is damaged"),
    "a config of something else": ("config.json", b'{"model_type": "bert"}', "is not the config"),
    "a recipe outside": (
        "config.json",
        json.dumps({"recipe": "..", "preset": "default", "config": {}}).encode(),
        "'..', which is not a name",
    ),
    "a field of no recipe": (
        "config.json",
        json.dumps({"recipe": "ner", "preset": "default", "config": {"evil": 1}}).encode(),
        "was trained with the field 'evil'",
    ),
}


@pytest.mark.parametrize("name, content, message", HOSTILE.values(), ids=HOSTILE)
def test_hostile_contents(trained, place, capsys, name, content, message):
    address, _ = place
    trained.push(address)
    write(address, name, content)
    assert cli.main(["pull", address, "--runs", "new"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert message in error and address in error
    assert not Path("new").exists()


def test_a_model_with_code_and_a_recipe_in_a_folder(workplace, capsys):
    make_run(Path("evil"), '{"class_name": "__lambda__"}')
    with pytest.raises(InputError, match=r"evil/model\.keras contains a Python lambda"):
        pull_run("evil")
    with pytest.raises(InputError, match="contains a Python lambda"):
        make_run(Path("evil_too"), '{"class_name": "__lambda__"}').push("out")
    make_run(Path("mine"), recipe="my_ner", recipe_folder="/evil/my_ner")
    assert cli.main(["pull", "mine"]) == 0
    assert (
        "With a copy of it that you trust: keras-seq predict runs/my_ner/mine INPUT --recipe "
        in (" ".join(capsys.readouterr().out.split()))
    )


def test_links_and_special_files_are_not_followed(trained):
    Path("secret").write_text("secret")
    (trained.folder / "README.md").symlink_to(Path("secret").resolve())
    for act in (lambda: trained.push("out"), lambda: pull_run("runs/ner/small", "new")):
        with pytest.raises(InputError, match=r"README.md is a link, which is not followed"):
            act()
    (trained.folder / "README.md").unlink()
    (trained.folder / EXPORT).unlink()
    (trained.folder / EXPORT).symlink_to(Path("secret").resolve())
    with pytest.raises(InputError, match=r"variables/index is a link"):
        trained.push("out")
    (trained.folder / "model.keras").unlink()
    os.mkfifo(trained.folder / "model.keras")
    (trained.folder / EXPORT).unlink()
    with pytest.raises(InputError, match=r"not a finished run: it has no model.keras"):
        pull_run("runs/ner/small", "new")
    with pytest.raises(InputError, match="is a file, not a folder"):
        pull_run("secret")


def test_paths_outside_of_the_folder_are_not_read(trained, hub, memory_system):
    trained.push("hf:me/shared")
    contents = hub.repositories["me/shared"]
    contents |= {"../evil": b"", "/etc/evil": b"", "a/../../evil": b"", "evil.py": b"", "a\\b": b""}
    assert sorted(path.name for path in pull_run("hf:me/shared").iterdir()) == PUSHED
    trained.push("memory://shared")
    for name in ("/shared/evil.py", "/shared/../evil"):
        memory_system.store[name] = memory_system.store["/shared/config.json"]
    assert sorted(path.name for path in pull_run("memory://shared", "b").iterdir()) == PUSHED
    assert not list(Path.cwd().rglob("evil*"))


def test_giant_files_are_not_downloaded(trained, place):
    address, _ = place
    trained.push(address)
    with (
        limits.override(max_run_bytes=100),
        pytest.raises(limits.LimitError, match=r"shared: the size in bytes is .* max_run_bytes"),
    ):
        pull_run(address, runs_folder="new")
    with (
        limits.override(max_document_bytes=10),
        pytest.raises(limits.LimitError, match="max_document"),
    ):
        write(address, "config.json", b"{}")
        pull_run(address, runs_folder="new")
    assert not Path("new").exists()


MISTAKES = {
    "an unfinished run": (["push", "open", "out"], "open is not finished"),
    "no run": (["push", "nowhere", "out"], "nowhere is not a run"),
    "a run to itself": (["push", "runs/ner/small", "runs/ner/../ner/small"], "is the run itself"),
    "a folder of others": (["push", "runs/ner/small", "docs"], "not a run, and contains my.txt"),
    "a file": (["push", "runs/ner/small", "docs/my.txt"], "is a file, not a folder"),
    "a file on the way": (
        ["push", "runs/ner/small", "docs/my.txt/a"],
        "Nothing can be written to the folder docs/my.txt: ",
    ),
    "a folder that cannot be written": (
        ["push", "runs/ner/small", "/proc/a"],
        "Nothing can be written to the folder /proc: ",
    ),
    "an empty target": (["push", "runs/ner/small", ""], "The address is empty"),
    "a private folder": (
        ["push", "runs/ner/small", "out", "--private"],
        "--private is for the Hug",
    ),
    "a revision": (["push", "runs/ner/small", "hf:a/b@main"], "push to hf:a/b"),
    "a repository without owner": (["pull", "hf:b"], "write hf:OWNER/NAME"),
    "a repository outside": (["pull", "hf:a/.."], "write hf:OWNER/NAME"),
    "no source": (["pull", "nowhere"], "There is no run at nowhere: check the address."),
    "no repository": (
        ["pull", "hf:a/b"],
        "no run at hf:a/b: check the address; for a private repository, log in with `hf",
    ),
    "a name with a slash": (["pull", "runs/ner/small", "a/b"], "a name without path separators"),
    "a name outside": (["pull", "runs/ner/small", ".."], "a name without path separators"),
    "no such protocol": (
        ["pull", "nosuch://a/b"],
        "nosuch://a/b cannot be used: Protocol not known",
    ),
}


@pytest.mark.parametrize("arguments, message", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_get_one_sentence(trained, hub, capsys, arguments, message):
    Path("docs").mkdir()
    Path("docs/my.txt").write_text("my")
    make_run(Path("open"))
    Path("open/metrics.json").unlink()
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert message in error and error.startswith("keras-seq: ")
    assert not Path("out").exists() and [path.name for path in Path("runs/ner").iterdir()] == [
        "small"
    ]


def test_the_hub_gets_one_commit(trained, hub, capsys):
    trained.push("hf:me/mine", private=True)
    assert hub.private is True and hub.commits == [("Push a run of keras-seq", None)]
    trained.push("hf:me/mine")
    assert hub.commits[1:] == [("Push a run of keras-seq", "sha-None")]
    trained.push("hf:me/public")
    assert hub.private is None, "as the owner has set"
    hub.refusal = errors.RepositoryNotFoundError.__new__(errors.RepositoryNotFoundError, "401")
    hub.refusal.response = types.SimpleNamespace(status_code=401)
    for repository in ("mine", "new"):
        assert cli.main(["push", "runs/ner/small", f"hf:me/{repository}"]) == 2
        assert "refuses to write" in (error := capsys.readouterr().err)
        assert "Log in with `hf auth login`" in error


def test_without_a_network_or_a_package(trained, monkeypatch):
    monkeypatch.setattr(network, "is_reachable", lambda url: False)
    with pytest.raises(InputError, match="hf:a/b cannot be reached: the network is unavailable"):
        pull_run("hf:a/b")
    for package, address in (("huggingface_hub", "hf:a/b"), ("fsspec", "s3://a/b")):
        with monkeypatch.context() as patch:
            patch.setitem(__import__("sys").modules, package, None)
            with pytest.raises(
                InputError, match=rf"{package}: run pip install 'keras-seq\[share\]'"
            ):
                trained.push(address)


def test_a_silent_server_is_given_up(memory_system, trained, monkeypatch):
    trained.push("memory://shared")
    monkeypatch.setattr(network, "TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(storages, "READ_SECONDS", 0.01)
    with (
        monkeypatch.context() as patch,
        pytest.raises(InputError, match="does not answer: no answer"),
    ):
        patch.setattr(type(memory_system), "exists", lambda *_: time.sleep(1))
        pull_run("memory://shared")
    monkeypatch.setattr(network, "TIMEOUT_SECONDS", 5.0)
    with pytest.raises(InputError, match=r"does not answer: no answer within 0\.01 seconds"):
        monkeypatch.setattr(type(memory_system), "open", lambda *_: time.sleep(1))
        pull_run("memory://shared")
    assert not list(Path("runs/ner").glob("*shared*"))
