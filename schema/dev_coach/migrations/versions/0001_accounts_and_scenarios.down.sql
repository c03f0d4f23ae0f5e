ALTER TABLE test_scenario_testscenario DROP CONSTRAINT test_scenario_testscenario_created_by_id_fkey;

DROP TABLE users_user;

DROP TABLE test_scenario_testscenario;

DROP FUNCTION dev_coach_touch_updated_at();
