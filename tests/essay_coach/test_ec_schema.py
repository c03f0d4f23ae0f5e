"""The schema itself: on every version, with the document's names and rules, made by many at once."""

from __future__ import annotations

import threading

import psycopg
import pytest
from ec_sample import ADA, ADA_DONE, ADA_DRAFT, BEN_SUBMITTED, EDUCATOR_N, NORTH
from sqlalchemy import ARRAY, LargeBinary, String, create_engine, inspect, pool
from sqlalchemy.dialects.postgresql import INET, JSONB

from scenarios.domain import PERSONAL, get_domain
from scenarios.domains.essay_coach import DOMAIN
from scenarios.domains.essay_coach.enums import TRANSITIONS, EssayStatus, Role


@pytest.mark.postgres_matrix
def test_it_is_created_on_every_version(any_server):
    with any_server.database(DOMAIN) as db, db.connect() as conn:
        assert conn.execute("SELECT count(*) FROM roles").fetchone() == (3,)
        assert conn.execute("SELECT refresh_views()").fetchone() == (3,)
        assert conn.execute("SELECT * FROM data_quality_breaches").fetchall() == []


def test_many_create_it_at_once(server):
    """Roles belong to the cluster: workers that build their template at the same time meet there."""
    failures: list[BaseException] = []

    def create(db) -> None:
        try:
            with db.connect() as conn:
                conn.execute(DOMAIN.ddl().encode())
        except psycopg.Error as error:
            failures.append(error)

    databases = [server.database() for _ in range(4)]
    try:
        threads = [threading.Thread(target=create, args=(db,)) for db in databases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for db in databases:
            db.close()
    assert failures == []


def test_the_registry_knows_it():
    assert get_domain("essay_coach") is DOMAIN
    assert DOMAIN.reference <= set(DOMAIN.metadata.tables)


@pytest.mark.parametrize(
    ("name", "definition"),
    [
        ("idx_essays_user_id", "ON public.essays USING btree (user_id)"),
        ("idx_feedback_essay_id", "ON public.feedback USING btree (essay_id)"),
        ("idx_analytics_user_created", "ON ONLY public.analytics USING btree (user_id, created_at)"),
        ("idx_users_email", "ON public.users USING btree (email)"),
    ],
)
def test_the_documents_indexes_have_their_names(world, name, definition):
    assert definition in world.value("SELECT indexdef FROM pg_indexes WHERE indexname = %s", name)


def test_every_foreign_key_is_supported_by_an_index(world):
    unsupported = world.values(
        "SELECT c.conname FROM pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0"
        " AND c.connamespace = 'public'::regnamespace AND NOT EXISTS ("
        "  SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indpred IS NULL AND"
        " c.conkey[1] = i.indkey[0])"
    )
    assert unsupported == []


def test_delete_rules(world):
    rules = dict(
        world.conn.execute(
            "SELECT c.conname, c.confdeltype::text FROM pg_constraint c"
            " WHERE c.contype = 'f' AND c.conparentid = 0 AND c.connamespace = 'public'::regnamespace"
        ).fetchall()
    )
    cascade = {
        "user_profiles_user_id_fkey", "refresh_tokens_user_id_fkey", "essays_author_fkey",
        "analytics_user_id_fkey", "reports_user_id_fkey", "submissions_essay_id_fkey",
        "feedback_essay_id_fkey",
        "ai_responses_essay_id_fkey", "analytics_essay_id_fkey",
    }  # fmt: skip
    restrict = {
        "users_role_fkey", "users_institution_id_fkey", "essays_category_id_fkey", "feedback_type_id_fkey",
        "ai_responses_feedback_type_id_fkey", "analytics_metric_type_id_fkey",
    }  # fmt: skip
    empty = {"logs_user_id_fkey", "refresh_tokens_replaced_by_fkey"}
    assert rules == dict.fromkeys(cascade, "c") | dict.fromkeys(restrict, "r") | dict.fromkeys(empty, "n")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM institutions WHERE id = 1",
        "DELETE FROM roles WHERE code = 'student'",
        "DELETE FROM categories WHERE id = 1",
        "DELETE FROM feedback_types WHERE id = 1",
        "DELETE FROM metric_types WHERE id = 1",
    ],
)
def test_shared_rows_in_use_cannot_be_deleted(world, statement):
    with world.refused(psycopg.errors.ForeignKeyViolation, psycopg.errors.RestrictViolation):
        world.conn.execute(statement)


BROKEN = [
    ("institutions_name_not_blank_check", "UPDATE institutions SET name = ' '"),
    ("users_email_lower_key", "UPDATE users SET email = 'USER14@example.org' WHERE id = 13"),
    ("users_email_has_at_check", "UPDATE users SET email = 'nobody' WHERE id = 13"),
    ("users_login_after_joining_check", "UPDATE users SET last_login = '2000-01-01' WHERE id = 13"),
    ("users_updated_after_created_check", "UPDATE users SET updated_at = '2000-01-01' WHERE id = 13"),
    ("users_admin_is_staff_check", "UPDATE users SET is_staff = false WHERE id = 11"),
    ("user_profiles_bio_length_check", "UPDATE user_profiles SET bio = repeat('x', 501)"),
    ("user_profiles_preferences_is_object_check", "UPDATE user_profiles SET preferences = 'null'"),
    ("categories_academic_level_known_check", "UPDATE categories SET academic_level = 'kindergarten'"),
    ("essays_author_fkey", "UPDATE essays SET institution_id = 2 WHERE id = 101"),
    ("essays_title_not_blank_check", "UPDATE essays SET title = '  '"),
    ("essays_submitted_unless_draft_check", "UPDATE essays SET submitted_at = now() WHERE id = 102"),
    ("essays_finished_when_completed_check", "UPDATE essays SET processing_completed_at = NULL"
    " WHERE id = 101"),
    ("essays_started_when_processed_check", "UPDATE essays SET processing_started_at = NULL WHERE id = 101"),
    ("essays_submitted_after_created_check", "UPDATE essays SET submitted_at = '2000-01-01' WHERE id = 101"),
    ("essays_started_after_submitted_check", "UPDATE essays SET processing_started_at ="
    " '2000-01-01' WHERE id = 101"),
    ("essays_finished_after_started_check", "UPDATE essays SET processing_completed_at ="
    " '2000-01-01' WHERE id = 101"),
    ("essays_updated_after_created_check", "UPDATE essays SET updated_at = '2000-01-01' WHERE id = 101"),
    ("essays_counts_not_negative_check", "UPDATE essays SET character_count = -1"),
    ("essays_length_when_submitted_check", "UPDATE essays SET word_count = 49 WHERE id = 101"),
    ("essays_length_when_submitted_check", "UPDATE essays SET word_count = 5001 WHERE id = 101"),
    ("essays_status_allows_processing_check", "UPDATE essays SET ai_processing_status = 'running'"
    " WHERE id = 101"),
    ("essays_ai_processing_status_known_check", "UPDATE essays SET ai_processing_status = 'asleep'"
    " WHERE id = 101"),
    ("submissions_version_from_one_check", "UPDATE submissions SET version_number = 0"),
    ("submissions_essay_id_version_number_key", "INSERT INTO submissions (essay_id, version_number, content)"
     " VALUES (101, 1, 'x')"),
    ("feedback_types_weight_range_check", "UPDATE feedback_types SET weight = 1.5"),
    ("feedback_types_order_not_negative_check", 'UPDATE feedback_types SET "order" = -1'),
    ("feedback_score_in_range_check", "UPDATE feedback SET score = max_score + 1"),
    ("feedback_max_score_positive_check", "UPDATE feedback SET max_score = 0, score = 0"),
    ("feedback_confidence_in_range_check", "UPDATE feedback SET confidence = 1.001"),
    ("feedback_confidence_in_range_check", "UPDATE feedback SET confidence = 'NaN'"),
    ("feedback_range_both_or_none_check", "UPDATE feedback SET start_index = 1"),
    ("feedback_range_order_check", "UPDATE feedback SET start_index = 5, end_index = 5"),
    ("feedback_suggestions_is_array_check", "UPDATE feedback SET suggestions = '{}'"),
    ("feedback_essay_id_type_id_key", "UPDATE feedback SET type_id = 1"),
    ("feedback_time_not_negative_check", "UPDATE feedback SET processing_time_seconds = -1"),
    ("ai_responses_tokens_not_negative_check", "UPDATE ai_responses SET tokens_used = -1"),
    ("ai_responses_cost_not_negative_check", "UPDATE ai_responses SET cost_usd = -1"),
    ("ai_responses_time_not_negative_check", "UPDATE ai_responses SET processing_time_seconds = 'NaN'"),
    ("ai_responses_response_is_object_check", "UPDATE ai_responses SET response = '[]'"),
    ("analytics_value_is_a_number_check", "UPDATE analytics SET value = 'NaN'"),
    ("analytics_metadata_is_object_check", "UPDATE analytics SET metadata = '[]'"),
    ("reports_report_type_known_check", "UPDATE reports SET report_type = 'gossip'"),
    ("reports_expires_after_created_check", "UPDATE reports SET expires_at = created_at"),
    ("reports_title_not_blank_check", "UPDATE reports SET title = ''"),
    ("reports_data_is_object_check", "UPDATE reports SET data = '1'"),
    ("reports_updated_after_created_check", "UPDATE reports SET updated_at = '2000-01-01'"),
    ("logs_level_known_check", "UPDATE logs SET level = 'LOUD'"),
    ("logs_context_is_object_check", "UPDATE logs SET context = 'null'"),
    ("roles_permissions_is_array_check", "UPDATE roles SET permissions = '{}'"),
    ("audit_log_rows_fit_operation_check", "INSERT INTO audit_log (table_name, row_pk, op) VALUES"
    " ('x', '1', 'INSERT')"),
    ("audit_log_op_known_check", "INSERT INTO audit_log (table_name, row_pk, op) VALUES ('x', '1', 'PEEK')"),
    ("audit_log_hash_is_sha256_check", "INSERT INTO audit_log (table_name, row_pk, op, payload_hash)"
     " VALUES ('x', '*', 'TRUNCATE', 'short')"),
    ("data_quality_findings_severity_known_check", "INSERT INTO data_quality_findings"
     " (run_id, rule, severity, table_name, row_pk) VALUES (gen_random_uuid(), 'x', 'grave', 'x', '1')"),
    ("institutions_student_count_not_negative_check", "UPDATE institutions SET student_count = -1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("constraint", "statement"), BROKEN, ids=[f"{n}-{c}" for n, (c, _) in enumerate(BROKEN)]
)
def test_each_rule_is_kept_by_the_database(world, constraint, statement):
    with pytest.raises(psycopg.errors.IntegrityError) as refusal, world.conn.transaction():
        world.conn.execute(statement)
    # A rule on a partition carries the parent's name.
    assert refusal.value.diag.constraint_name == constraint


def test_every_check_is_tried(world):
    known = set(world.values("SELECT conname FROM pg_constraint WHERE contype = 'c' AND conparentid = 0"
                             " AND connamespace = 'public'::regnamespace AND NOT conislocal IS"
                             " FALSE"))  # fmt: skip
    tried = {name for name, _ in BROKEN}
    elsewhere = {
        # tests of the tokens and of the schema's own bookkeeping
        "refresh_tokens_token_hash_is_sha256_check", "refresh_tokens_expires_after_issued_check",
        "refresh_tokens_revoked_after_issued_check", "refresh_tokens_revoked_with_reason_check",
        "refresh_tokens_replaced_when_rotated_check", "refresh_tokens_revoke_reason_known_check",
        # an unknown status breaks essays_status_allows_processing_check as well, which is looked at first
        "essays_status_known_check",
        "users_username_not_blank_check", "categories_name_not_blank_check",
        "submissions_word_count_not_negative_check",
    }  # fmt: skip
    assert known - tried - elsewhere == set()


@pytest.mark.parametrize(
    "change",
    [
        "expires_at = issued_at",
        "revoked_at = issued_at - interval '1 second', revoke_reason = 'logout'",
        "revoked_at = now()",
        "revoke_reason = 'logout'",
        "revoked_at = now(), revoke_reason = 'bored'",
        "revoked_at = now(), revoke_reason = 'logout', replaced_by = id",
        "token_hash = 'x'",
    ],
)
def test_a_token_cannot_contradict_itself(world, change):
    world.conn.execute(
        "INSERT INTO refresh_tokens (user_id, family_id, jti, token_hash, expires_at) VALUES"
        " (13, gen_random_uuid(), gen_random_uuid(), sha256('x'), now() + interval '7 days')"
    )
    with world.refused(psycopg.errors.CheckViolation):
        world.conn.execute(psycopg.sql.SQL("UPDATE refresh_tokens SET {}").format(psycopg.sql.SQL(change)))


@pytest.mark.parametrize("before", list(EssayStatus))
@pytest.mark.parametrize("after", list(EssayStatus))
def test_an_essay_moves_as_the_enum_says(world, before, after):
    def times(status):
        submitted = "now()" if status != "draft" else "NULL"
        started = "now()" if status in ("processing", "completed", "failed") else "NULL"
        done = "now()" if status == "completed" else "NULL"
        ai = {"processing": "running", "completed": "succeeded", "failed": "failed"}.get(status, "pending")
        return submitted, started, done, ai

    submitted, started, done, ai = times(before)
    insert = psycopg.sql.SQL(
        "INSERT INTO essays (id, institution_id, user_id, title, content, status, word_count, submitted_at,"
        " processing_started_at, processing_completed_at, ai_processing_status)"
        " VALUES (900, 1, 13, 'x', 'x', {}, 60, {}, {}, {}, {})"
    )
    world.conn.execute(
        insert.format(before.value, *(psycopg.sql.SQL(text) for text in (submitted, started, done)), ai)
    )
    submitted, started, done, ai = times(after)
    update = psycopg.sql.SQL(
        "UPDATE essays SET status = {}, submitted_at = {}, processing_started_at = {},"
        " processing_completed_at = {}, ai_processing_status = {} WHERE id = 900"
    ).format(after.value, *(psycopg.sql.SQL(text) for text in (submitted, started, done)), ai)
    if after == before or after in TRANSITIONS[before]:
        world.conn.execute(update)
    else:
        with pytest.raises(psycopg.errors.CheckViolation) as refusal, world.conn.transaction():
            world.conn.execute(update)
        assert f'"{before}" to "{after}"' in str(refusal.value)


def test_students_are_counted_as_they_come_go_and_change(world):
    def count():
        return world.conn.execute("SELECT student_count FROM institutions ORDER BY id").fetchall()

    assert count() == [(2,), (1,)]
    world.conn.execute("UPDATE users SET role = 'educator' WHERE id = %s", [ADA])
    assert count() == [(1,), (1,)]
    world.conn.execute(
        "UPDATE users SET role = 'student', institution_id = 2 WHERE id IN (%s, %s)", [ADA, EDUCATOR_N]
    )
    assert count() == [(1,), (3,)]
    assert world.values("SELECT DISTINCT institution_id FROM essays WHERE user_id = %s", ADA) == [2], (
        "the essays moved with their author"
    )
    world.conn.execute("DELETE FROM users WHERE institution_id = 2 AND role = 'student'")
    assert count() == [(1,), (0,)]
    world.conn.execute("TRUNCATE users CASCADE")
    assert count() == [(0,), (0,)]


def test_a_count_given_on_insert_cannot_double(world):
    world.conn.execute("INSERT INTO institutions (id, name, student_count) VALUES (9, 'West', 30)")
    with (
        world.conn.cursor() as cursor,
        cursor.copy("COPY users (institution_id, username, email, password) FROM STDIN") as copy,
    ):
        for number in range(30):
            copy.write_row((9, f"w{number}", f"w{number}@example.org", "x"))
    assert world.value("SELECT student_count FROM institutions WHERE id = 9") == 30


def test_every_text_like_column_is_classified():
    unclassified = [
        f"{table.name}.{column.name}"
        for table in DOMAIN.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, (String, LargeBinary, JSONB, INET, ARRAY)) and PERSONAL not in column.info
    ]
    assert unclassified == []


@pytest.mark.parametrize(
    ("alias", "role"),
    [
        ("Lecturer", Role.EDUCATOR),
        ("teacher ", Role.EDUCATOR),
        ("Administrator", Role.ADMIN),
        ("student", Role.STUDENT),
    ],
)
def test_other_names_of_roles(alias, role):
    assert Role.from_alias(alias) is role


def test_an_unknown_role_is_refused():
    with pytest.raises(ValueError, match="janitor"):
        Role.from_alias("janitor")


def test_create_all_and_drop_all_make_and_take_everything(fresh_db):
    engine = create_engine(fresh_db.url, poolclass=pool.NullPool)
    for _ in range(2):
        DOMAIN.metadata.create_all(engine)
        DOMAIN.metadata.create_all(engine)
        with fresh_db.connect() as conn:
            assert conn.execute("SELECT refresh_views()").fetchone() == (3,)
        DOMAIN.metadata.drop_all(engine)
        with engine.connect() as connection:
            assert inspect(connection).get_table_names() == []
            assert inspect(connection).get_view_names() == []
        with fresh_db.connect() as conn:
            left = conn.execute(
                "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            ).fetchall()
            assert left == []
    engine.dispose()


def test_the_sample_is_clean(world):
    assert world.conn.execute("SELECT * FROM data_quality_breaches").fetchall() == []
    assert {ADA_DONE, ADA_DRAFT, BEN_SUBMITTED} == set(
        world.values("SELECT id FROM essays WHERE institution_id = %s", NORTH)
    )
