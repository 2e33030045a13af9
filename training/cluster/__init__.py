"""Training beyond one machine: an export of the log, replayed by the workers of a Dask cluster, partition by partition.

    with connected(address, exported) as client:                    # connection: the cluster, and that it fits
        rows = replayed(client, exported, target, seed=seed)        # rows: features and labels, where they were made
        trees = grown(rows, seed)                                   # trees: LightGBM over all of them
        found = rows.gathered()                                     # what one machine can hold, for all else

All that concerns a customer lies in one partition (`features.log.parquet.exported`), so nothing is shuffled: a worker
replays, labels and keeps its partitions, with the fold and the labels that one machine uses, and the rows of a cluster
are those of one machine bit for bit. What is fitted over all workers are the trees; what is fitted on few numbers a row
(calibration, baselines) is fitted here, on as many rows as one machine takes.
"""

from training.cluster.connection import ClusterError, connected
from training.cluster.rows import ClusterRows, replayed
from training.cluster.trees import GrownTrees, grown, on_cluster

__all__ = ["ClusterError", "ClusterRows", "GrownTrees", "connected", "grown", "on_cluster", "replayed"]
