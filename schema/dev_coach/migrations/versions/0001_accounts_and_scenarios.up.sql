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

CREATE TABLE test_scenario_testscenario (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    name VARCHAR(255) NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    template JSONB NOT NULL,
    created_by_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT test_scenario_testscenario_pkey PRIMARY KEY (id),
    CONSTRAINT test_scenario_testscenario_name_key UNIQUE (name),
    CONSTRAINT test_scenario_testscenario_template_check CHECK (jsonb_typeof(template) = 'object'),
    CONSTRAINT test_scenario_testscenario_created_at_updated_at_check CHECK (created_at <= updated_at)
);

CREATE INDEX test_scenario_testscenario_created_at_idx ON test_scenario_testscenario (created_at);

CREATE INDEX test_scenario_testscenario_created_by_id_idx ON test_scenario_testscenario (created_by_id);

CREATE INDEX test_scenario_testscenario_updated_at_idx ON test_scenario_testscenario (updated_at);

CREATE TABLE users_user (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    email VARCHAR(254) NOT NULL,
    password VARCHAR(128) NOT NULL,
    first_name VARCHAR(150) DEFAULT '' NOT NULL,
    last_name VARCHAR(150) DEFAULT '' NOT NULL,
    is_staff BOOLEAN DEFAULT false NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    is_superuser BOOLEAN DEFAULT false NOT NULL,
    verification_token VARCHAR(100) DEFAULT '' NOT NULL,
    email_verification_sent_at TIMESTAMP WITH TIME ZONE,
    last_login TIMESTAMP WITH TIME ZONE,
    date_joined TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    test_scenario_id UUID,
    CONSTRAINT users_user_pkey PRIMARY KEY (id),
    CONSTRAINT users_user_email_key UNIQUE (email),
    CONSTRAINT users_user_email_check CHECK (email ~* '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$'),
    CONSTRAINT users_user_created_at_updated_at_check CHECK (created_at <= updated_at),
    CONSTRAINT users_user_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX users_user_created_at_idx ON users_user (created_at);

CREATE INDEX users_user_last_login_idx ON users_user (last_login);

CREATE INDEX users_user_real_users_idx ON users_user (email, created_at) WHERE test_scenario_id IS NULL;

CREATE INDEX users_user_test_scenario_id_idx ON users_user (test_scenario_id);

CREATE INDEX users_user_test_scenario_idx ON users_user (test_scenario_id) WHERE test_scenario_id IS NOT NULL;

CREATE INDEX users_user_updated_at_idx ON users_user (updated_at);

ALTER TABLE test_scenario_testscenario ADD CONSTRAINT test_scenario_testscenario_created_by_id_fkey FOREIGN KEY(created_by_id) REFERENCES users_user (id) ON DELETE SET NULL;

CREATE TRIGGER "users_user_touch" BEFORE UPDATE ON "users_user" FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION dev_coach_touch_updated_at('created_at');

CREATE TRIGGER "test_scenario_testscenario_touch" BEFORE UPDATE ON "test_scenario_testscenario" FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION dev_coach_touch_updated_at('created_at');
