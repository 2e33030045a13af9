"""The quality of the predictions on real shops, beside the rules and models one would use instead.

    python -m benchmarks.quality [--parts cdnow taobao journey] [--seed 1]

Every split is by time, and every interval comes from a bootstrap over customers. Absent data sets are skipped with a
message.
"""

from __future__ import annotations

import argparse

from benchmarks import quality_cdnow, quality_journey, quality_taobao
from benchmarks.quality_data import Absent
from benchmarks.report import console, print_claims

PARTS = {"cdnow": quality_cdnow.claims, "taobao": quality_taobao.claims, "journey": quality_journey.claims}
"""The measurements, by shop."""


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    claims: dict[str, float] = {}
    for part in asked.parts:
        try:
            claims |= PARTS[part](asked.seed)
        except Absent as reason:
            console.print(f"{part} is skipped: {reason}", markup=False)
    print_claims("quality", claims)


if __name__ == "__main__":
    main()
