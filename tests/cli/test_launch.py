"""What tests start in a fork is what they would start from nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import launch
from tests.support.processes import END_S, environment, holdfast, start
from tests.support.stores import wait_until

needs_forks = pytest.mark.skipif(launch.COLD, reason="COLD=true: every process begins from nothing")


def from_nothing(*words: str, cwd: Path) -> tuple[int, str, str]:
    command = [sys.executable, "-m", launch.MODULE, *words]
    ended = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize("words", [("--version",), ("show",), ("nonsense",), ("serve", "--port", "none"), ("--help",)])
def test_output_and_exit_code_are_those_of_a_process_from_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    forked = holdfast(*words, cwd=tmp_path)

    assert (forked.returncode, forked.stdout, forked.stderr) == from_nothing(*words, cwd=tmp_path)


@needs_forks
def test_it_has_its_own_directory_environment_and_session(tmp_path: Path) -> None:
    with start("serve", "--port", "0", cwd=tmp_path, HOLDFAST_DATA_DIR="mine") as process:
        wait_until(lambda: b"Holdfast" in (tmp_path / "out").read_bytes(), "it serves", END_S)

        assert (tmp_path / "mine" / "store.pid").exists()
        assert Path(f"/proc/{process.pid}/cwd").readlink() == tmp_path
        assert os.getsid(process.pid) == process.pid
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_S) == 0
        assert process.poll() == 0


@needs_forks
def test_one_that_is_killed_says_so_and_a_later_signal_reaches_nobody(tmp_path: Path) -> None:
    with start("serve", "--port", "0", cwd=tmp_path, HOLDFAST_STORE_URL=f"unix://{tmp_path}/none.sock") as process:
        process.kill()

        assert process.wait(END_S) == -signal.SIGKILL
        process.terminate()


@needs_forks
def test_what_python_reads_at_its_beginning_makes_it_begin(tmp_path: Path) -> None:
    with start("--version", cwd=tmp_path) as forked:
        assert not isinstance(forked, subprocess.Popen)
        assert forked.wait(END_S) == 0
    with start("--version", cwd=tmp_path, PYTHONUTF8="1") as begun:
        assert isinstance(begun, subprocess.Popen)
        assert begun.wait(END_S) == 0
