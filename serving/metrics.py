"""The server's metrics, named by the Prometheus conventions: base units, no ids as labels.

Every worker process writes to the same folder (`PROMETHEUS_MULTIPROC_DIR`, set by the framework), and `/metrics` of
any worker adds up all of them.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
MODEL_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0)

EVENTS = Counter("waypost_events_ingested", "Events sent, by kind and outcome.", ["type", "outcome"])
DUPLICATES = Counter("waypost_events_deduplicated", "Events whose message_id the log already had.")
DEAD_LETTERS = Counter("waypost_dead_letters", "Events kept as dead letters, by the field at fault.", ["reason"])
PROPERTIES_DROPPED = Counter(
    "waypost_properties_dropped", "Properties that were dropped before the log, because no list allows their names."
)
VALUES_UNREAD = Counter(
    "waypost_values_unread", "Values left out of events because they could not be read, by what is wrong.", ["reason"]
)
REQUEST_SECONDS = Histogram(
    "waypost_http_request_duration_seconds",
    "Time from the request's head to its answer.",
    ["route", "status"],
    buckets=SECONDS,
)
PREDICT_SECONDS = Histogram(
    "waypost_model_predict_duration_seconds",
    "Time to read the features and score one customer, or a batch of them.",
    ["model"],
    buckets=MODEL_SECONDS,
)
DECISIONS = Counter("waypost_decisions", "Decisions made.", ["stage", "action", "mode"])
REWARDS = Counter("waypost_rewards", "Rewards recorded, by the rewarded action.", ["action"])
SCOREBOARD_AGE = Gauge(
    "waypost_feature_freshness_seconds",
    "Age of the scoreboard behind segments and report.",
    multiprocess_mode="mostrecent",
)
SWEEP_SECONDS = Gauge(
    "waypost_scoreboard_sweep_seconds", "Duration of the latest sweep of all customers.", multiprocess_mode="mostrecent"
)
MODEL = Gauge(
    "waypost_model_info", "1 for the model bundle in use.", ["model", "version", "run_id"], multiprocess_mode="livemax"
)
BUNDLE_REFUSED = Gauge(
    "waypost_bundle_refused",
    "1 while the bundle on disk cannot be used; an older bundle answers, or none.",
    multiprocess_mode="livemax",
)
SHADOW_SCORES = Counter("waypost_shadow_scores", "Scores of the shadow bundle, by target.", ["target"])
SHADOW_DIFFERENCE = Histogram(
    "waypost_shadow_difference",
    "Absolute difference between the probabilities of shadow and champion, by target.",
    ["target"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
)
SHADOW_LOG_RATIO = Gauge(
    "waypost_shadow_log_ratio",
    "Mean logarithm of the shadow's probability over the champion's, of the newest 1,000 scores.",
    ["target"],
    multiprocess_mode="mostrecent",
)
DRIFT_PSI = Gauge(
    "waypost_drift_psi",
    "Population stability index since the training in the newest monitor report, by feature, or score of a target.",
    ["feature"],
    multiprocess_mode="mostrecent",
)
CALIBRATION_SLOPE = Gauge(
    "waypost_model_calibration_slope",
    "Slope of realised on predicted log-odds in the newest monitor report, by target; 1 is right.",
    ["model"],
    multiprocess_mode="mostrecent",
)
MONITOR_ALARMS = Gauge(
    "waypost_monitor_alarms", "Alarms in the newest monitor report, by kind.", ["kind"], multiprocess_mode="mostrecent"
)
BUILD = Gauge("waypost_build_info", "1 for the running release.", ["version", "fingerprint"], multiprocess_mode="max")
WITHHELD = Counter("waypost_events_withheld", "Events not written because the customer withdrew consent.")
MERGES = Counter("waypost_identity_merges", "Events that declare two ids to be one customer, by outcome.", ["outcome"])
COMMIT_REQUESTS = Histogram(
    "waypost_commit_requests", "Requests written by one commit.", buckets=(1, 2, 4, 8, 16, 32, 64)
)
COMMIT_SECONDS = Histogram(
    "waypost_commit_duration_seconds", "Time to write and commit one group of requests.", buckets=SECONDS
)
WRITES_WAITING = Gauge(
    "waypost_writes_waiting", "Requests that wait to be written or are being written.", multiprocess_mode="livesum"
)
STORE_ERRORS = Counter("waypost_store_errors", "Failures of the store, by kind.", ["kind"])
STORE_FREE_BYTES = Gauge(
    "waypost_store_free_bytes", "Free bytes on the disk of a store in files.", multiprocess_mode="mostrecent"
)
REBUILT = Gauge(
    "waypost_rebuild_done_ratio",
    "Share of the customers whose states fit the running features; 1 when the rebuild is done.",
    multiprocess_mode="mostrecent",
)
SEALED = Counter("waypost_sealed_events", "Events that left the database for the history beside it.")
AUDITED = Counter("waypost_audited_customers", "Customers recomputed from the log and compared with their states.")
MISMATCHES = Gauge(
    "waypost_audit_mismatches",
    "Customers whose states differ from those recomputed from the log.",
    multiprocess_mode="livemax",
)
