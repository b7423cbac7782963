from pathlib import Path

from scripts.picture import FLOORS, TARGET, draw, imports

ROOT = Path(__file__).resolve().parents[1]


def test_the_picture_of_the_rooms_is_what_the_imports_are() -> None:
    assert TARGET.read_text(encoding="utf-8") == draw(), "run .venv/bin/python scripts/picture.py"


def test_no_import_goes_up_and_no_room_knows_another() -> None:
    floor_of = {name: row for row, (_, names) in enumerate(FLOORS) for name in names}
    rooms = set(FLOORS[1][1])
    for importer, imported in imports():
        assert floor_of[importer] <= floor_of[imported], f"{importer} imports {imported}, which is above it"
        assert not {importer, imported} <= rooms, f"the room {importer} imports the room {imported}"
