"""Training beyond one machine: an export of the log, replayed by the workers of a Dask cluster, partition by partition.

    with connected(address, exported) as client:                    # connection: the cluster, checked for use
        rows = replayed(client, exported, target, seed=seed)        # rows: features and labels, kept on the workers
        trees = grown(rows, seed)                                   # trees: LightGBM over all rows
        gathered = rows.gathered()                                  # as many rows as one machine can hold

All events of a customer are in one partition (`features.log.parquet.exported`), so nothing is shuffled: a worker
replays, labels and keeps its partitions, with the fold and the labels that one machine uses, and the rows of a cluster
are those of one machine bit for bit. Trees are fitted over all workers. What needs few numbers per row (calibration,
baselines) is fitted here, on as many rows as one machine can hold.
"""

from training.cluster.connection import ClusterError, connected
from training.cluster.rows import ClusterRows, replayed
from training.cluster.trees import GrownTrees, grown, on_cluster

__all__ = ["ClusterError", "ClusterRows", "GrownTrees", "connected", "grown", "on_cluster", "replayed"]
