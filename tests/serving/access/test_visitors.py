"""A visitor's token: only what the shop signed is believed, while it holds, whatever language it was made in."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import shutil
import subprocess
import time
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.access.keys import Keyring, issue
from serving.access.visitors import LONGEST_SECONDS, SKEW_SECONDS, TokenError, read_token, sign_token
from tests.house.tree import ROOT

NOW = 1_780_000_000
MICROS = NOW * 1_000_000
KEY, SECRET = issue("shop", "sign", MICROS, None)
RING = Keyring([KEY])
TOKEN = sign_token("ann", KEY.id, SECRET.encode(), NOW, 600)
PAGE = (ROOT / "docs" / "howto" / "keys.md").read_text(encoding="utf-8")


def read(token: str, now: float = NOW) -> str:
    """Whom the token names."""
    return read_token(token.encode(), lambda key: RING.secret(key, MICROS), now)


def made(head: Any, claims: Any, secret: bytes = SECRET.encode()) -> str:
    """A token of any header and claims, signed."""
    parts = [urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in (head, claims)]
    signature = hmac.digest(secret, b".".join(parts), hashlib.sha256)
    return b".".join([*parts, urlsafe_b64encode(signature).rstrip(b"=")]).decode()


HEAD = {"alg": "HS256", "typ": "JWT", "kid": KEY.id}
CLAIMS = {"sub": "ann", "iat": NOW, "exp": NOW + 600}


@given(st.text(min_size=1, max_size=200), st.integers(1, LONGEST_SECONDS), st.data())
def test_a_token_names_its_customer_while_it_holds(customer: str, seconds: int, data: st.DataObject) -> None:
    token = sign_token(customer, KEY.id, SECRET.encode(), NOW, seconds)
    assert read(token, NOW + data.draw(st.integers(-SKEW_SECONDS, seconds - 1))) == customer
    for moment in (NOW - SKEW_SECONDS - 1, NOW + seconds):
        with pytest.raises(TokenError):
            read(token, moment)


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("ABCxyz019-_.= "))
def test_a_changed_token_is_not_believed(place: int, letter: str) -> None:
    changed = TOKEN[:place] + letter + TOKEN[place + 1 :]
    # The last letter holds four bits of the signature and two of nothing.
    if changed != TOKEN and place != len(TOKEN) - 1:
        with pytest.raises(TokenError):
            read(changed)


@given(st.binary(max_size=300))
def test_whatever_is_sent_as_a_token_is_judged(text: bytes) -> None:
    with pytest.raises(TokenError):
        read_token(b"eyJ" + text, lambda key: RING.secret(key, MICROS), NOW)


@pytest.mark.parametrize(
    ("head", "claims", "told"),
    [
        ({**HEAD, "alg": "none"}, CLAIMS, "HS256"),
        ({**HEAD, "alg": "HS512"}, CLAIMS, "HS256"),
        ({**HEAD, "crit": ["exp"]}, CLAIMS, "HS256"),
        ([], CLAIMS, "HS256"),
        ({"alg": "HS256"}, CLAIMS, "kid"),
        ({**HEAD, "kid": 1}, CLAIMS, "kid"),
        ({**HEAD, "kid": "0" * 8}, CLAIMS, "waypost keys list"),
        (HEAD, [], "claims"),
        (HEAD, {**CLAIMS, "sub": 7}, "sub"),
        (HEAD, {**CLAIMS, "sub": ""}, "sub"),
        (HEAD, {**CLAIMS, "sub": "a" * 201}, "sub"),
        (HEAD, {"sub": "ann", "exp": NOW + 600}, "iat"),
        (HEAD, {"sub": "ann", "iat": NOW}, "exp"),
        (HEAD, {**CLAIMS, "exp": True}, "exp"),
        (HEAD, {**CLAIMS, "exp": str(NOW + 600)}, "exp"),
        (HEAD, {**CLAIMS, "iat": NOW * 1000, "exp": NOW * 1000 + 600}, "seconds"),
        (HEAD, {**CLAIMS, "exp": NOW + LONGEST_SECONDS + 1}, "3600 s"),
        (HEAD, {**CLAIMS, "exp": NOW}, "expired"),
        (HEAD, {**CLAIMS, "iat": NOW + 300}, "clocks"),
    ],
)
def test_a_token_that_is_not_believed_says_why(head: Any, claims: Any, told: str) -> None:
    with pytest.raises(TokenError, match=re.escape(told)):
        read(made(head, claims))


def test_a_token_by_another_secret_is_not_believed_and_takes_the_same_path(compared: list[tuple[int, int]]) -> None:
    for token in (made(HEAD, CLAIMS, b"another"), made({**HEAD, "kid": "nobody"}, CLAIMS)):
        with pytest.raises(TokenError, match="signature"):
            read(token)
    assert compared == [(32, 32)] * 2


def test_a_key_that_does_not_sign_or_has_expired_signs_nothing() -> None:
    reading, text = issue("page", "read", MICROS, None)
    ended, secret = issue("old", "sign", MICROS, MICROS)
    ring = Keyring([reading, ended])
    for key, signed_with in ((reading, text), (ended, secret)):
        token = sign_token("ann", key.id, signed_with.encode(), NOW, 600)
        with pytest.raises(TokenError, match="signature"):
            read_token(token.encode(), lambda each: ring.secret(each, MICROS), NOW)


def recipe(language: str) -> str:
    """The function of the page about keys that makes a token in a language."""
    found: str = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]
    return found


def test_the_recipe_in_python() -> None:
    names: dict[str, Any] = {}
    exec(compile(recipe("python"), "keys.md", "exec"), names)
    assert read(names["visitor_token"](SECRET, "ännchen/7"), time.time()) == "ännchen/7"


@pytest.mark.parametrize(
    ("language", "program", "call"),
    [
        ("js", ["node", "-e"], "console.log(visitorToken({key}, {customer}))"),
        ("php", ["php", "-r"], "echo visitor_token({key}, {customer});"),
    ],
)
def test_the_recipes_in_other_languages(language: str, program: list[str], call: str) -> None:
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    words = call.format(key=json.dumps(SECRET), customer=json.dumps("ännchen/7", ensure_ascii=False))
    command = [*program, recipe(language) + words]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert read(ran.stdout.strip(), time.time()) == "ännchen/7"
