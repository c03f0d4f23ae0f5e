"""Locks that die with their holder, and the notes on disk that live as long as what they speak of."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from scenarios.ownership import birth_of
from scenarios.postgres import watcher
from scenarios.postgres.creation_markers import abandoned, creation_marker, is_same_process
from scenarios.postgres.locks import exclusive, is_locked, try_lock


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_lets_go_of_its_copy_only(tmp_path: Path) -> None:
    path = tmp_path / "some.lock"
    held = try_lock(path)
    assert held is not None
    child = os.fork()
    if child == 0:
        held.release()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert path.exists(), "the parent holds it"
    assert is_locked(path)
    held.release()
    held.release()
    assert not path.exists()


def test_a_lock_whose_directory_went_makes_it_again(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "some.lock"
    with exclusive(path) as held:
        assert is_locked(held.path)
    assert list(path.parent.iterdir()) == []


def test_asking_for_a_lock_makes_no_file(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "none.lock")
    (tmp_path / "free.lock").touch()
    assert not is_locked(tmp_path / "free.lock")
    assert [path.name for path in tmp_path.iterdir()] == ["free.lock"]


def test_who_waits_gets_the_lock_of_the_file_that_is_there(tmp_path: Path) -> None:
    """The file that a waiter has open is removed by the one who lets go; its lock would exclude nobody."""
    path = tmp_path / "some.lock"
    inside = 0
    most = 0

    def use() -> None:
        nonlocal inside, most
        for _ in range(50):
            with exclusive(path, timeout=60):
                inside += 1
                most = max(most, inside)
                assert is_locked(path)
                inside -= 1

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, inside) == (1, 0)
    assert not path.exists()


def test_a_note_of_a_database_to_be_made_lasts_for_the_block(tmp_path: Path) -> None:
    with creation_marker(tmp_path, "scn_d_1"):
        (note,) = (tmp_path / "creation_markers").iterdir()
        assert json.loads(note.read_text()) == {"pid": os.getpid(), "birth": birth_of(os.getpid())}
        assert list(abandoned(tmp_path)) == [], "its maker is at it"
    assert list((tmp_path / "creation_markers").iterdir()) == []


def test_notes_are_abandoned_when_their_maker_is_gone_or_they_cannot_be_read(tmp_path: Path) -> None:
    notes = tmp_path / "creation_markers"
    notes.mkdir()
    (notes / "scn_t_2").write_text("{")
    (notes / "scn_d_1").write_text(
        json.dumps({"pid": os.getpid(), "birth": "another process had this number"})
    )
    (notes / "scn_d_3").write_text(json.dumps({"pid": os.getpid(), "birth": ""}))
    (notes / "anything").write_text("{")
    assert [name for name, _ in abandoned(tmp_path)] == ["scn_d_1", "scn_t_2"]


def test_a_process_is_told_by_number_and_birth() -> None:
    assert is_same_process(os.getpid(), birth_of(os.getpid()))
    assert not is_same_process(os.getpid(), "0")
    assert is_same_process(os.getpid(), ""), "the system that made the note did not say"
    assert not is_same_process(2**22 + 1, "")
    assert not is_same_process(2**22 + 1, "5")
    assert not is_same_process(0, ""), "number 0 is ourselves to the system, and nobody to a note"


def test_the_watcher_waits_for_each_user_and_for_none_of_the_dead(tmp_path: Path) -> None:
    watcher.wait_for_users(str(tmp_path / "gone"))
    leases = tmp_path / watcher.LEASES
    leases.mkdir()
    watcher.wait_for_users(str(tmp_path))
    (leases / "1-dead").touch()
    watcher.wait_for_users(str(tmp_path))
    first, second = try_lock(leases / "2-living"), try_lock(leases / "3-living")
    assert first is not None
    assert second is not None
    waiting = threading.Thread(target=watcher.wait_for_users, args=[str(tmp_path)], daemon=True)
    waiting.start()
    first.release()
    waiting.join(0.1)
    assert waiting.is_alive()
    second.release()
    waiting.join(30)
    assert not waiting.is_alive()


def test_only_names_we_make_up_are_noted() -> None:
    with pytest.raises(AssertionError, match="anybody"):
        creation_marker(Path("/nowhere"), "my_scn_d_1")
