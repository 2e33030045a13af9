"""Small files: replaced whole, held by one at a time, told from what takes their place."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from features.files import alone, identity, replace, version


def test_a_reader_sees_the_old_content_or_the_new_one_whole(tmp_path: Path) -> None:
    path, contents = tmp_path / "file", {letter * 100_000 for letter in "ab"}
    replace(path, "a" * 100_000)

    def change() -> None:
        for _ in range(50):
            for content in contents:
                replace(path, content, durable=False)

    thread = Thread(target=change)
    thread.start()
    seen = {path.read_text() for _ in range(500)}
    thread.join()
    assert seen <= contents
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_fails_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace(path, b"old", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(TypeError):
        replace(path, 7)  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_a_killed_process_left_goes_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "keys[1].json"
    left, fresh = tmp_path / ".keys[1].json.0123abcd", tmp_path / ".keys[1].json.4567abcd"
    strange = [tmp_path / ".keys1.json.0123abcd", tmp_path / ".keys[1].json.lock", tmp_path / "keys[1].json.0123abcd"]
    for each in (left, fresh, *strange):
        each.write_text("a half")
    for each in (left, *strange):
        os.utime(each, (0, 0))
    replace(path, "new")
    assert set(tmp_path.iterdir()) == {path, fresh, *strange}


def test_what_tells_files_from_each_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert identity(path) is version(path) is None
    path.write_text("one")
    first, state = identity(path), version(path)
    path.write_text("longer")
    assert identity(path) == first and version(path) != state
    replace(path, "new")
    assert identity(path) != first


def test_one_holds_a_lock_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    program = f"from pathlib import Path; from features.files import alone\nwith alone(Path({str(lock)!r}), 0.1): pass"
    command = [sys.executable, "-c", program]
    with alone(lock):
        with pytest.raises(TimeoutError), alone(lock, 0.1):
            raise AssertionError("it was held already")
        assert "Timeout" in subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert subprocess.run(command, check=False).returncode == 0


def test_an_error_within_a_lock_is_not_taken_for_its_own(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="mine"), alone(tmp_path / "lock", 1.0):
        raise TimeoutError("mine")
