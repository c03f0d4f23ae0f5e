"""Backup and recovery by portable snapshot files, as ``docs/howto/backup_and_restore.md`` describes it."""

from __future__ import annotations

from scenarios.domain import get_domain
from scenarios.domains.dev_coach.validators import CHECKS


def test_a_file_brings_everything_back_in_another_database(coach, built_in, server, tmp_path):
    built_in["whole_programme"].load(coach)
    before = coach.checksum()
    file = tmp_path / "coach.snapshot"
    coach.save(file)
    with coach.connect() as conn:
        conn.execute("DELETE FROM users_user")
    assert coach.checksum() != before

    with server.database(get_domain("dev_coach")) as recovered:
        assert recovered.checksum() != before
        recovered.open(file)
        assert recovered.checksum() == before
    coach.open(file)
    assert coach.checksum() == before


def test_after_recovery_the_rules_are_checked(coach, built_in, tmp_path):
    built_in["refinement_in_progress"].load(coach)
    coach.save(tmp_path / "good.snapshot")
    with coach.connect() as conn:
        conn.execute("UPDATE coach_states_coachstate SET current_phase = 'GET_TO_KNOW_YOU'")
        conn.execute("UPDATE identities_identity SET state = 'REFINEMENT_COMPLETE'")
        assert [finding for check in CHECKS for finding in check.run(conn, None)]
    coach.open(tmp_path / "good.snapshot")
    with coach.connect() as conn:
        assert [finding for check in CHECKS for finding in check.run(conn, None)] == []
