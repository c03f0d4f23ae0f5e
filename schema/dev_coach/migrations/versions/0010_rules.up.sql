-- Rows written before the rules existed take the scope of their user.
UPDATE actions_action AS r SET test_scenario_id = u.test_scenario_id FROM users_user AS u
 WHERE u.id = r.user_id AND r.test_scenario_id IS DISTINCT FROM u.test_scenario_id;

UPDATE actions_actionresult AS r SET test_scenario_id = u.test_scenario_id FROM users_user AS u
 WHERE u.id = r.user_id AND r.test_scenario_id IS DISTINCT FROM u.test_scenario_id;

UPDATE authentication_verification AS r SET test_scenario_id = u.test_scenario_id FROM users_user AS u
 WHERE u.id = r.user_id AND r.test_scenario_id IS DISTINCT FROM u.test_scenario_id;

UPDATE chat_messages_chatmessage AS r SET test_scenario_id = u.test_scenario_id FROM users_user AS u
 WHERE u.id = r.user_id AND r.test_scenario_id IS DISTINCT FROM u.test_scenario_id;

UPDATE coach_states_coachingsession AS r SET test_scenario_id = u.test_scenario_id FROM users_user AS u
 WHERE u.id = r.user_id AND r.test_scenario_id IS DISTINCT FROM u.test_scenario_id;

UPDATE coach_states_coachingsessionmessage AS r SET test_scenario_id = u.test_scenario_id FROM users_user AS u
 WHERE u.id = r.user_id AND r.test_scenario_id IS DISTINCT FROM u.test_scenario_id;

UPDATE coach_states_coachstate AS r SET test_scenario_id = u.test_scenario_id FROM users_user AS u
 WHERE u.id = r.user_id AND r.test_scenario_id IS DISTINCT FROM u.test_scenario_id;

UPDATE identities_identity AS r SET test_scenario_id = u.test_scenario_id FROM users_user AS u
 WHERE u.id = r.user_id AND r.test_scenario_id IS DISTINCT FROM u.test_scenario_id;

UPDATE user_notes_usernote AS r SET test_scenario_id = u.test_scenario_id FROM users_user AS u
 WHERE u.id = r.user_id AND r.test_scenario_id IS DISTINCT FROM u.test_scenario_id;

UPDATE users_userprofile AS r SET test_scenario_id = u.test_scenario_id FROM users_user AS u
 WHERE u.id = r.user_id AND r.test_scenario_id IS DISTINCT FROM u.test_scenario_id;

DELETE FROM test_scenario_testscenariochatmessage AS r USING users_user AS u
 WHERE u.id = r.user_id AND r.test_scenario_id IS DISTINCT FROM u.test_scenario_id;

DELETE FROM test_scenario_testscenariouser AS r USING users_user AS u
 WHERE u.id = r.user_id AND r.test_scenario_id IS DISTINCT FROM u.test_scenario_id;

CREATE OR REPLACE FUNCTION dev_coach_phase_transition() RETURNS trigger
LANGUAGE plpgsql AS $body$
DECLARE
    place_of_old integer := array_position(TG_ARGV, OLD.current_phase::text);
    place_of_new integer := array_position(TG_ARGV, NEW.current_phase::text);
BEGIN
    -- An unknown phase is the CHECK's business. TG_ARGV counts from 0, and 0 is the restart.
    IF place_of_new IS NULL OR place_of_new = 0 OR place_of_new = place_of_old + 1 THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the coaching phase cannot go from % to %', OLD.current_phase, NEW.current_phase
        USING ERRCODE = 'check_violation',
              TABLE = TG_TABLE_NAME,
              SCHEMA = TG_TABLE_SCHEMA,
              COLUMN = 'current_phase',
              CONSTRAINT = TG_NAME,
              DETAIL = format('Coach state %s of user %s.', NEW.id, NEW.user_id),
              HINT = format('The phases in order: %s. Allowed are the next one and a restart.',
                            array_to_string(TG_ARGV, ', '));
END
$body$;

CREATE OR REPLACE FUNCTION dev_coach_inherit_scope() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $body$
BEGIN
    SELECT test_scenario_id INTO NEW.test_scenario_id FROM users_user WHERE id = NEW.user_id;
    RETURN NEW;
END
$body$;

CREATE OR REPLACE FUNCTION dev_coach_refuse_scope() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $body$
DECLARE
    stray record;
BEGIN
    SELECT n.id, n.user_id, n.test_scenario_id AS own, u.test_scenario_id AS theirs
      INTO stray
      FROM changed_rows AS n
      JOIN users_user AS u ON u.id = n.user_id
     WHERE n.test_scenario_id IS DISTINCT FROM u.test_scenario_id
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a row of % belongs to %, its user to %', TG_TABLE_NAME,
            coalesce('test scenario ' || stray.own, 'no test scenario'),
            coalesce('test scenario ' || stray.theirs, 'no test scenario')
            USING ERRCODE = 'check_violation',
                  TABLE = TG_TABLE_NAME,
                  SCHEMA = TG_TABLE_SCHEMA,
                  COLUMN = 'test_scenario_id',
                  CONSTRAINT = TG_TABLE_NAME || '_scope',
                  DETAIL = format('Row %s of user %s.', stray.id, stray.user_id),
                  HINT = 'Leave test_scenario_id empty on insert and the row inherits that of its user.';
    END IF;
    RETURN NULL;
END
$body$;

CREATE OR REPLACE FUNCTION dev_coach_pass_scope_on() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $body$
DECLARE
    owned text;
BEGIN
    -- A handle names a row inside one scenario: it ends when its row leaves the scenario.
    DELETE FROM test_scenario_testscenariouser
     WHERE user_id = NEW.id AND test_scenario_id IS DISTINCT FROM NEW.test_scenario_id;
    DELETE FROM test_scenario_testscenariochatmessage
     WHERE user_id = NEW.id AND test_scenario_id IS DISTINCT FROM NEW.test_scenario_id;
    FOREACH owned IN ARRAY TG_ARGV LOOP
        EXECUTE format('UPDATE %I SET test_scenario_id = $1 WHERE user_id = $2'
                       ' AND test_scenario_id IS DISTINCT FROM $1', owned)
          USING NEW.test_scenario_id, NEW.id;
    END LOOP;
    RETURN NULL;
END
$body$;

CREATE TRIGGER "actions_action_inherit_scope" BEFORE INSERT ON "actions_action" FOR EACH ROW
    WHEN (NEW.test_scenario_id IS NULL) EXECUTE FUNCTION dev_coach_inherit_scope();

CREATE TRIGGER "actions_action_scope_of_inserted" AFTER INSERT ON "actions_action" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "actions_action_scope_of_updated" AFTER UPDATE ON "actions_action" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "actions_actionresult_inherit_scope" BEFORE INSERT ON "actions_actionresult" FOR EACH ROW
    WHEN (NEW.test_scenario_id IS NULL) EXECUTE FUNCTION dev_coach_inherit_scope();

CREATE TRIGGER "actions_actionresult_scope_of_inserted" AFTER INSERT ON "actions_actionresult" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "actions_actionresult_scope_of_updated" AFTER UPDATE ON "actions_actionresult" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "authentication_verification_inherit_scope" BEFORE INSERT ON "authentication_verification" FOR EACH ROW
    WHEN (NEW.test_scenario_id IS NULL) EXECUTE FUNCTION dev_coach_inherit_scope();

CREATE TRIGGER "authentication_verification_scope_of_inserted" AFTER INSERT ON "authentication_verification" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "authentication_verification_scope_of_updated" AFTER UPDATE ON "authentication_verification" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "chat_messages_chatmessage_inherit_scope" BEFORE INSERT ON "chat_messages_chatmessage" FOR EACH ROW
    WHEN (NEW.test_scenario_id IS NULL) EXECUTE FUNCTION dev_coach_inherit_scope();

CREATE TRIGGER "chat_messages_chatmessage_scope_of_inserted" AFTER INSERT ON "chat_messages_chatmessage" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "chat_messages_chatmessage_scope_of_updated" AFTER UPDATE ON "chat_messages_chatmessage" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "coach_states_coachingsession_inherit_scope" BEFORE INSERT ON "coach_states_coachingsession" FOR EACH ROW
    WHEN (NEW.test_scenario_id IS NULL) EXECUTE FUNCTION dev_coach_inherit_scope();

CREATE TRIGGER "coach_states_coachingsession_scope_of_inserted" AFTER INSERT ON "coach_states_coachingsession" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "coach_states_coachingsession_scope_of_updated" AFTER UPDATE ON "coach_states_coachingsession" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "coach_states_coachingsessionmessage_inherit_scope" BEFORE INSERT ON "coach_states_coachingsessionmessage" FOR EACH ROW
    WHEN (NEW.test_scenario_id IS NULL) EXECUTE FUNCTION dev_coach_inherit_scope();

CREATE TRIGGER "coach_states_coachingsessionmessage_scope_of_inserted" AFTER INSERT ON "coach_states_coachingsessionmessage" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "coach_states_coachingsessionmessage_scope_of_updated" AFTER UPDATE ON "coach_states_coachingsessionmessage" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "coach_states_coachstate_inherit_scope" BEFORE INSERT ON "coach_states_coachstate" FOR EACH ROW
    WHEN (NEW.test_scenario_id IS NULL) EXECUTE FUNCTION dev_coach_inherit_scope();

CREATE TRIGGER "coach_states_coachstate_scope_of_inserted" AFTER INSERT ON "coach_states_coachstate" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "coach_states_coachstate_scope_of_updated" AFTER UPDATE ON "coach_states_coachstate" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "identities_identity_inherit_scope" BEFORE INSERT ON "identities_identity" FOR EACH ROW
    WHEN (NEW.test_scenario_id IS NULL) EXECUTE FUNCTION dev_coach_inherit_scope();

CREATE TRIGGER "identities_identity_scope_of_inserted" AFTER INSERT ON "identities_identity" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "identities_identity_scope_of_updated" AFTER UPDATE ON "identities_identity" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "test_scenario_testscenariochatmessage_inherit_scope" BEFORE INSERT ON "test_scenario_testscenariochatmessage" FOR EACH ROW
    WHEN (NEW.test_scenario_id IS NULL) EXECUTE FUNCTION dev_coach_inherit_scope();

CREATE TRIGGER "test_scenario_testscenariochatmessage_scope_of_inserted" AFTER INSERT ON "test_scenario_testscenariochatmessage" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "test_scenario_testscenariochatmessage_scope_of_updated" AFTER UPDATE ON "test_scenario_testscenariochatmessage" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "test_scenario_testscenariouser_inherit_scope" BEFORE INSERT ON "test_scenario_testscenariouser" FOR EACH ROW
    WHEN (NEW.test_scenario_id IS NULL) EXECUTE FUNCTION dev_coach_inherit_scope();

CREATE TRIGGER "test_scenario_testscenariouser_scope_of_inserted" AFTER INSERT ON "test_scenario_testscenariouser" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "test_scenario_testscenariouser_scope_of_updated" AFTER UPDATE ON "test_scenario_testscenariouser" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "user_notes_usernote_inherit_scope" BEFORE INSERT ON "user_notes_usernote" FOR EACH ROW
    WHEN (NEW.test_scenario_id IS NULL) EXECUTE FUNCTION dev_coach_inherit_scope();

CREATE TRIGGER "user_notes_usernote_scope_of_inserted" AFTER INSERT ON "user_notes_usernote" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "user_notes_usernote_scope_of_updated" AFTER UPDATE ON "user_notes_usernote" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "users_userprofile_inherit_scope" BEFORE INSERT ON "users_userprofile" FOR EACH ROW
    WHEN (NEW.test_scenario_id IS NULL) EXECUTE FUNCTION dev_coach_inherit_scope();

CREATE TRIGGER "users_userprofile_scope_of_inserted" AFTER INSERT ON "users_userprofile" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "users_userprofile_scope_of_updated" AFTER UPDATE ON "users_userprofile" REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope();

CREATE TRIGGER "users_user_pass_scope_on" AFTER UPDATE OF test_scenario_id ON "users_user" FOR EACH ROW
    WHEN (OLD.test_scenario_id IS DISTINCT FROM NEW.test_scenario_id)
    EXECUTE FUNCTION dev_coach_pass_scope_on('actions_action', 'actions_actionresult', 'authentication_verification', 'chat_messages_chatmessage', 'coach_states_coachingsession', 'coach_states_coachingsessionmessage', 'coach_states_coachstate', 'identities_identity', 'test_scenario_testscenariochatmessage', 'test_scenario_testscenariouser', 'user_notes_usernote', 'users_userprofile');

CREATE TRIGGER "coach_states_coachstate_phase_transition" BEFORE UPDATE OF current_phase ON "coach_states_coachstate" FOR EACH ROW
    WHEN (OLD.current_phase IS DISTINCT FROM NEW.current_phase)
    EXECUTE FUNCTION dev_coach_phase_transition('GET_TO_KNOW_YOU', 'IDENTITY_CREATION', 'IDENTITY_REFINEMENT', 'INTEGRATION', 'COMPLETED');
