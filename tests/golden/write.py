"""Write golden files again after a change that is meant: python -m tests.golden.write [NAME...]"""

from __future__ import annotations

import sys
from pathlib import Path

from features.journey import JOURNEY

if __name__ == "__main__":
    texts = {"fold.txt": JOURNEY.source, "state.txt": "\n".join(map(str, JOURNEY.state.descr)) + "\n"}
    for name in sys.argv[1:] or texts:
        (Path(__file__).parent / name).write_text(texts[name])
