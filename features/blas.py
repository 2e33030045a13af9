"""Linear algebra on one thread: our matrices are small, and threads of OpenBLAS mostly wait for each other.

On two busy cores, a training of 60 customers cost 28 seconds of processor time with two threads, and 2 with one. This
module must be imported before numpy.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
