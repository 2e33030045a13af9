"""Write golden files again after a change that is meant: python -m tests.golden.write [fold|openapi]"""

from __future__ import annotations

import sys
from pathlib import Path

from features.journey import JOURNEY
from serving.http.openapi import document
from serving.http.routes import ROUTES
from tests.golden.openapi_parts import parts

FOLDER = Path(__file__).parent


def write_fold() -> None:
    """The text of the generated fold and the layout of a state."""
    (FOLDER / "fold.txt").write_text(JOURNEY.source)
    (FOLDER / "state.txt").write_text("\n".join(map(str, JOURNEY.state.descr)) + "\n")


def write_openapi() -> None:
    """The OpenAPI document, a file for each route."""
    folder = FOLDER / "openapi"
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.json"):
        path.unlink()
    for name, text in parts(document(ROUTES)).items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name, write in {"fold": write_fold, "openapi": write_openapi}.items():
        if name in (sys.argv[1:] or ("fold", "openapi")):
            write()
