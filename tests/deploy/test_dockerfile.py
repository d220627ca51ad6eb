"""The Dockerfile, without Docker: its steps are done in a folder, and what comes of them serves and stops."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.dockerfile import Builder, Step, environment_of, is_ignored, last, stages_of
from tests.support.scratch_clone import ROOT, scratch_clone
from tests.support.stores import free_port, wait_until

STAGES: Final = stages_of((ROOT / "Dockerfile").read_text("utf-8"))
IMAGE: Final = STAGES[""]
RUNS_FOR_S: Final = 60.0


class Image:
    """The folder that stands for the container: its programs, and the volume."""

    def __init__(self, folder: Path) -> None:
        base = folder / "base"  # what the base image has: Python and pip
        subprocess.run([sys.executable, "-m", "venv", base], check=True, capture_output=True)
        self.builder = Builder(scratch_clone(folder / "context"), folder / "root", base / "bin")
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)

    def environment(self, **more: str) -> dict[str, str]:
        set_there = environment_of(IMAGE)
        path = set_there.pop("PATH").replace(":$PATH", "")
        mine = self.builder.environment({**set_there, "HOLDFAST_DATA_DIR": str(self.data), **more})
        return {**mine, "PATH": f"{self.builder.path(path)}:{mine['PATH']}"}

    def run(self, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run the entry point with these words, as ``docker run`` does."""
        command = [*last(IMAGE, "ENTRYPOINT").words(), *(word.replace("/data", str(self.data)) for word in words)]
        environment = self.environment(**more)
        found = [environment["PATH"].partition(":")[0] + "/" + command[0], *command[1:]]
        return subprocess.run(
            found, cwd=self.data, env=environment, capture_output=True, text=True, check=False, timeout=RUNS_FOR_S
        )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    made = Image(tmp_path_factory.mktemp("image"))
    made.builder.run(STAGES["builder"])
    return made


@pytest.fixture
def key(image: Image) -> str:
    """Make the first key, as the head of the Dockerfile says."""
    made = image.run("keys", "new", "--scope", "admin", "--data-dir", "/data")
    assert made.returncode == 0, made.stderr
    return made.stdout


@pytest.mark.timeout(300)
def test_the_builder_makes_an_installation_with_everything_in_it(image: Image) -> None:
    said = image.run("--version")

    assert (said.returncode, said.stdout.startswith("holdfast")) == (0, True), said.stderr


def test_a_server_that_others_can_reach_wants_a_key_first(image: Image) -> None:
    refused = image.run(*last(IMAGE, "CMD").words(), HOLDFAST_PORT=str(free_port()))

    assert refused.returncode != 0
    assert "keys new" in refused.stderr + refused.stdout


def test_with_a_key_it_becomes_healthy_and_stops_in_order(image: Image, key: str) -> None:
    assert "hf_" in key
    environment = image.environment(HOLDFAST_PORT=str(free_port()))
    words = [word.replace("/data", str(image.data)) for word in last(IMAGE, "CMD").words()]
    program = Path(environment["PATH"].partition(":")[0]) / last(IMAGE, "ENTRYPOINT").words()[0]
    with subprocess.Popen([program, *words], cwd=image.data, env=environment, stdout=subprocess.DEVNULL) as serving:
        try:
            wait_until(lambda: is_healthy(environment), "the HEALTHCHECK says so", RUNS_FOR_S)
        finally:
            serving.send_signal(getattr(signal, last(IMAGE, "STOPSIGNAL").text))
        assert serving.wait(RUNS_FOR_S) == 0


def is_healthy(environment: dict[str, str]) -> bool:
    words = Step("CMD", last(IMAGE, "HEALTHCHECK").text.partition("CMD ")[2]).words()
    python = Path(environment["PATH"].partition(":")[0]) / words[0]
    return subprocess.run([python, *words[1:]], env=environment, capture_output=True, check=False).returncode == 0


def test_what_the_image_takes_from_the_builder_is_there(image: Image) -> None:
    copies = [step.text for step in IMAGE if step.name == "COPY"]

    for copied in copies:
        origin, source, target = copied.split()
        assert (origin, image.builder.path(source).is_dir(), source) == ("--from=builder", True, target)


@pytest.mark.parametrize("step", [step for step in IMAGE if step.name == "RUN"], ids=lambda step: step.text[:20])
def test_what_needs_another_user_is_at_least_a_command_of_the_shell(step: Step) -> None:
    subprocess.run(["sh", "-n", "-c", step.text], check=True, capture_output=True)


# -- the tests can fail


def test_what_the_builder_must_not_have_is_kept_from_it() -> None:
    patterns = ["*", "!server", "!docs/api", "**/__pycache__", "**/*.pyc"]

    kept = [path for path in ("server/app.py", "docs/api/a.md", "server/api/a.lua") if not is_ignored(path, patterns)]
    assert kept == ["server/app.py", "docs/api/a.md", "server/api/a.lua"]
    assert all(
        is_ignored(path, patterns)
        for path in ("tests/a.py", "docs/a.md", "server/a/__pycache__/b.txt", "server/a.pyc", "servers/a")
    )


def test_a_copy_of_what_is_not_there_and_a_failing_command_are_found(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("*\n!here\n")
    (tmp_path / "here").write_text("")
    (tmp_path / "there").write_text("")
    builder = Builder(tmp_path, tmp_path / "root", tmp_path)
    (tmp_path / "root").mkdir()

    builder.run([Step("COPY", "here ./"), Step("RUN", "test -f here")])
    for step in (Step("COPY", "nowhere ./"), Step("COPY", "there ./"), Step("RUN", "false"), Step("ADD", "a b")):
        with pytest.raises(AssertionError):
            builder.run([step])
