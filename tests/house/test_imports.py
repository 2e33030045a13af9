"""The shape of the house: no circles, a place for every file, and a picture that is true."""

from tests.house.imports import circle, files, folders, picture, places_of_contracts, rooms
from tests.house.tree import ROOT


def test_there_is_no_circle_among_files() -> None:
    assert circle(files()) == []


def test_there_is_no_circle_among_rooms() -> None:
    assert circle(rooms()) == []


def test_a_circle_would_be_found() -> None:
    chain = {"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset[str]()}
    assert circle(chain) == []
    assert set(circle({**chain, "c": frozenset({"a"})})) == {"a", "b", "c"}


def test_every_folder_has_a_contract_in_which_each_of_its_files_has_a_place() -> None:
    stands = {name: sorted(members) for name, members in folders().items() if len(members) > 1}
    named = {name: sorted(members) for name, members in places_of_contracts().items()}
    assert named == stands, "give what is new its place in .importlinter"


def test_the_top_of_a_room_is_small() -> None:
    top = {room: [name for name in members if f"{room}.{name}" not in folders()] for room, members in folders().items()}
    assert top["training"] == [] and top["models"] == []
    assert len(top["serving"]) <= 3, "besides __init__"


def test_the_picture_of_the_house_is_that_of_its_imports() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert picture() in text, "run `python -m tests.house.imports`, and put what it prints into ARCHITECTURE.md"
