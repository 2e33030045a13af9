"""An installed Waypost is whole: every file of the rooms is in the wheel, and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.house.tree import ROOMS, ROOT, files_of_a_clone, name_of


def test_the_wheel_holds_the_rooms_and_the_front_door(tmp_path: Path) -> None:
    rooms = [name_of(path) for path in files_of_a_clone() if name_of(path).split("/")[0] in {*ROOMS, "waypost"}]
    for name in [*rooms, "pyproject.toml", "README.md", "LICENSE"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    build = [sys.executable, "-c", "from setuptools.build_meta import build_wheel; build_wheel('.')"]
    ran = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (wheel,) = tmp_path.glob("waypost-*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == set(rooms)
