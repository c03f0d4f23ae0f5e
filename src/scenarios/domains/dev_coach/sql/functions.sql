-- The rules of Dev Coach that a constraint cannot express. Each function keeps the search_path of the
-- database it was created in, so that it finds the tables whatever the caller's path is.

-- @function dev_coach_touch_updated_at()
CREATE OR REPLACE FUNCTION dev_coach_touch_updated_at() RETURNS trigger
LANGUAGE plpgsql AS $body$
BEGIN
    NEW.updated_at := clock_timestamp();
    -- Never before created_at, where there is one: rows of a scenario may be dated after the clock on the wall.
    IF TG_NARGS > 0 THEN
        NEW.updated_at := greatest(NEW.updated_at, NEW.created_at);
    END IF;
    RETURN NEW;
END
$body$;

-- @function dev_coach_phase_transition()
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

-- @function dev_coach_inherit_scope()
CREATE OR REPLACE FUNCTION dev_coach_inherit_scope() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $body$
BEGIN
    SELECT test_scenario_id INTO NEW.test_scenario_id FROM users_user WHERE id = NEW.user_id;
    RETURN NEW;
END
$body$;

-- @function dev_coach_refuse_scope()
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

-- @function dev_coach_pass_scope_on()
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
