"""Examples of the API document. The tests send the requests and check the answers' shapes."""

from __future__ import annotations

from typing import Any

_MODEL = {"version": "9c41d2ab07e5", "fingerprint": "6f0d1f3a9b8c2e47"}
_AS_OF = "2026-11-21T20:41:11.323000Z"
_STAMP = {"as_of": _AS_OF, "model": _MODEL}

EVENTS: dict[str, Any] = {
    "one": {"customer": "household-1", "kind": "ITEM_VIEW", "item": "item-42", "channel": "WEB", "message_id": "w-1"},
    "order": {
        "events": [
            {
                "customer": "household-1",
                "kind": "PURCHASE",
                "order_id": "order-7",
                "amount": 39.9,
                "message_id": "order-7",
            },
            {
                "customer": "household-1",
                "kind": "PURCHASED_ITEM",
                "order_id": "order-7",
                "item": "item-42",
                "quantity": 1,
                "amount": 39.9,
                "message_id": "order-7-1",
            },
        ]
    },
}
EVENT_LINES = (
    '{"customer": "household-1", "kind": "SEARCH", "message_id": "w-2"}\n{"customer": "household-2", "kind": "LOGIN"}\n'
)
EVENTS_ANSWER: dict[str, Any] = {
    **_STAMP,
    "accepted": 1,
    "duplicates": 0,
    "withheld": 0,
    "rejected": [
        {
            "index": 1,
            "message_id": "w-3",
            "code": "invalid_amount",
            "field": "amount",
            "detail": "expected a number from 0 to 1e+15, got -5",
        }
    ],
    "warnings": [
        {
            "index": 0,
            "field": "amount",
            "code": "negative",
            "detail": "expected a number from 0 to 1e+15, got -1",
        }
    ],
    "more_warnings": 0,
}

BATCHES: dict[str, Any] = {
    "visit": {
        "batch": [
            {"type": "identify", "userId": "household-1", "anonymousId": "a-17", "traits": {"plan": "gold"}},
            {
                "type": "track",
                "userId": "household-1",
                "messageId": "s-1",
                "event": "Order Completed",
                "properties": {
                    "order_id": "order-8",
                    "revenue": 39.9,
                    "products": [{"product_id": "item-42", "price": 39.9, "quantity": 1}],
                },
                "timestamp": "2026-03-01T12:00:00.000Z",
            },
        ],
        "sentAt": "2026-03-01T12:00:01.000Z",
    }
}
SEGMENT_MESSAGES: dict[str, dict[str, Any]] = {
    "identify": {"userId": "household-1", "anonymousId": "a-18", "messageId": "s-2", "traits": {"plan": "gold"}},
    "track": {
        "userId": "household-1",
        "messageId": "s-3",
        "event": "Product Viewed",
        "properties": {"product_id": "item-42", "price": 39.9},
    },
    "page": {"anonymousId": "a-17", "messageId": "s-4", "name": "Home", "properties": {"path": "/"}},
    "screen": {"anonymousId": "a-17", "messageId": "s-5", "name": "Start"},
    "group": {"userId": "household-1", "messageId": "s-6", "groupId": "family-3"},
    "alias": {"userId": "household-1", "messageId": "s-7", "previousId": "a-16"},
}
TRACKING_ANSWER: dict[str, Any] = {
    "success": True,
    "accepted": 1,
    "duplicates": 0,
    "withheld": 0,
    "rejected": [
        {
            "index": 1,
            "messageId": "s-8",
            "code": "invalid_timestamp",
            "message": "timestamp: 'noon' is not an ISO 8601 time, such as 2026-03-01T12:00:00Z",
        }
    ],
    "warnings": [
        {
            "index": 0,
            "field": "properties.price",
            "code": "negative",
            "detail": "expected a number from 0 to 1e+15, got -1",
        }
    ],
    "more_warnings": 0,
}

MEASUREMENTS: dict[str, Any] = {
    "purchase": {
        "client_id": "1790000000.1780000000",
        "user_id": "household-1",
        "timestamp_micros": "1772366400000000",
        "events": [
            {
                "name": "purchase",
                "params": {
                    "transaction_id": "order-9",
                    "currency": "EUR",
                    "value": 39.9,
                    "items": [{"item_id": "item-42", "price": 39.9, "quantity": 1}],
                },
            }
        ],
    }
}
VALIDATION_ANSWER: dict[str, Any] = {
    "validationMessages": [
        {
            "fieldPath": "event.name",
            "description": "missing: every row has an event name",
            "validationCode": "VALUE_REQUIRED",
        }
    ]
}

SCORES: dict[str, Any] = {
    "one": {"customer": "household-1"},
    "several": {"customers": ["household-1", "household-2"], "targets": ["conversion_7d"]},
}
SCORES_ANSWER: dict[str, Any] = {
    **_STAMP,
    "results": [
        {
            "customer": "household-1",
            "known": True,
            "stage": "retention",
            "scores": {
                "churn_28d": {
                    "form": "probability",
                    "probability": 0.71,
                    "interval": {"low": 0.66, "high": 0.76},
                    "rank_percentile": 91.5,
                    "rank_band": "top fifth",
                    "evidence": "A",
                    "evidence_why": None,
                    "definition": "no PURCHASE within 28 days after the moment it is asked",
                    "scope": "customers with days_since_purchase <= 56",
                    "horizon_days": 28.0,
                    "base_rate": 0.31,
                    "reasons": [
                        {
                            "about": "Tempo",
                            "words": "no purchase for 34 days, usually every 9 days",
                            "effect": 1.12,
                            "features": {"silence_ratio": 3.78},
                        }
                    ],
                },
                "lifetime_value_90d": {
                    "form": "amount",
                    "amount": 96.4,
                    "interval": {"low": 0.0, "high": 240.0},
                    "rank_percentile": 38.0,
                    "rank_band": "lower half",
                    "evidence": "D",
                    "evidence_why": "No customer of the training rows had the latest channel web.",
                    "definition": "amount of PURCHASE within 90 days after the moment it is asked",
                    "scope": "customers with purchases_ever >= 1",
                    "horizon_days": 90.0,
                    "base_rate": 181.2,
                },
            },
        }
    ],
}

RECOMMENDATIONS: dict[str, Any] = {"five": {"customer": "household-1", "limit": 5, "exclude": ["item-42"]}}
RECOMMENDATIONS_ANSWER: dict[str, Any] = {
    **_STAMP,
    "customer": "household-1",
    "known": True,
    "items": [
        {"item": "item-9", "score": 0.83, "reason": "because of item-42"},
        {"item": "item-1", "score": 0.02, "reason": "popular"},
    ],
    "why": None,
}

DECISIONS: dict[str, Any] = {
    "repeatable": {"customer": "household-1", "decision_id": "page-81f3", "channels": ["ONSITE", "EMAIL"]},
    "any": {"customer": "household-1"},
}
DECISION_ANSWER: dict[str, Any] = {
    **_STAMP,
    "decision_id": "page-81f3",
    "customer": "household-1",
    "known": True,
    "repeated": False,
    "action": "cross_sell",
    "channel": "onsite",
    "stage": "retention",
    "mode": "exploit",
    "probability": 0.61,
    "propensities": {"cross_sell": 0.61, "do_nothing": 0.39},
    "items": [{"item": "item-9", "score": 0.83, "reason": "because of item-42"}],
    "considered": [
        {
            "action": "win_back",
            "channel": "email",
            "eligible": False,
            "score": 0.2,
            "probability": 0.0,
            "reasons": [
                {
                    "kind": "condition",
                    "rule": "contacts_7d < 3",
                    "passed": False,
                    "actual": {"contacts_7d": 3.0},
                }
            ],
        }
    ],
}

REWARDS: dict[str, Any] = {
    "order": {"customer": "household-1", "decision_id": "page-81f3", "value": 39.9, "money": True}
}
REWARD_ANSWER: dict[str, Any] = {**_STAMP, "decision_id": "page-81f3", "action": "cross_sell", "accepted": True}

SEGMENT_CSV = "customer,stage,lapsing,conversion_7d,churn_28d,…\nhousehold-1,retention,0,0.41,0.61,…\n"

EXPORT = (
    '{"record":"customer","customer":"household-1","ids":["household-1","visitor-7"],"known":true,…}\n'
    '{"record":"event","message_id":"m-1","customer":"visitor-7","kind":"ITEM_VIEW","at":"2026-06-01T12:00:00Z",…}\n'
)

READINESS_ANSWER: dict[str, Any] = {
    **_STAMP,
    "targets": [
        {
            "target": "churn_28d",
            "form": "probability",
            "definition": "no PURCHASE within 28 days after the moment it is asked",
            "scope": "customers with days_since_purchase <= 56",
            "tier": "logistic",
            "evidence": "C",
            "counts": {"customers": 412.0, "rows": 2210.0, "yes": 655.0, "history_days": 140.0},
            "next": {
                "tier": "lightgbm",
                "needed": {"customers": 200.0, "rows": 1000.0, "yes": 200.0, "history_days": 192.0},
                "lacking": {"history_days": 52.0},
                "expected": "2027-01-12T00:00:00Z",
            },
            "missing": "",
            "why": "lightgbm is tried once there are 52 more days of history.",
        }
    ],
}

HIT = "v=2&tid=G-TEST&cid=77.1772352000&en=add_to_cart&cu=EUR&epn.value=20&pr1=idmug~nmMug~pr10~qt2"
HITS = "en=view_item&pr1=idmug~nmMug~pr10\r\nen=add_to_cart&cu=EUR&epn.value=20&pr1=idmug~nmMug~pr10~qt2"

SETTINGS_ANSWER = {
    "integrations": {
        "Segment.io": {
            "apiKey": "WRITE_KEY",
            "apiHost": "waypost.shop.example/v1",
            "protocol": "https",
            "deliveryStrategy": {"config": {"keepalive": True}},
        }
    }
}

SOURCE_CONFIG_ANSWER = {
    "source": {
        "id": "waypost",
        "name": "Waypost",
        "writeKey": "WRITE_KEY",
        "workspaceId": "waypost",
        "enabled": True,
        "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
        "destinations": [],
    }
}
