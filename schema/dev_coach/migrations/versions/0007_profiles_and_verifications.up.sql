CREATE TABLE authentication_verification (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    token VARCHAR(100) NOT NULL,
    email VARCHAR(254) NOT NULL,
    verification_type VARCHAR(20) NOT NULL,
    is_used BOOLEAN DEFAULT false NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    test_scenario_id UUID,
    CONSTRAINT authentication_verification_pkey PRIMARY KEY (id),
    CONSTRAINT authentication_verification_token_key UNIQUE (token),
    CONSTRAINT authentication_verification_verification_type_check CHECK (verification_type IN ('EMAIL_VERIFICATION', 'PASSWORD_RESET', 'EMAIL_CHANGE')),
    CONSTRAINT authentication_verification_created_at_expires_at_check CHECK (created_at < expires_at),
    CONSTRAINT authentication_verification_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE,
    CONSTRAINT authentication_verification_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX authentication_verification_expires_at_idx ON authentication_verification (expires_at);

CREATE INDEX authentication_verification_test_scenario_id_idx ON authentication_verification (test_scenario_id);

CREATE INDEX authentication_verification_user_id_idx ON authentication_verification (user_id);

CREATE TABLE users_userprofile (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    bio TEXT,
    timezone VARCHAR(50) DEFAULT 'UTC' NOT NULL,
    date_of_birth DATE,
    coaching_goals JSONB DEFAULT '{}' NOT NULL,
    preferred_coaching_style VARCHAR(50),
    session_frequency VARCHAR(20),
    email_notifications BOOLEAN DEFAULT true NOT NULL,
    push_notifications BOOLEAN DEFAULT true NOT NULL,
    notification_frequency VARCHAR(20) DEFAULT 'DAILY' NOT NULL,
    theme VARCHAR(20) DEFAULT 'LIGHT' NOT NULL,
    language VARCHAR(10) DEFAULT 'en' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    test_scenario_id UUID,
    CONSTRAINT users_userprofile_pkey PRIMARY KEY (id),
    CONSTRAINT users_userprofile_user_id_key UNIQUE (user_id),
    CONSTRAINT users_userprofile_bio_check CHECK (char_length(bio) <= 500),
    CONSTRAINT users_userprofile_preferred_coaching_style_check CHECK (preferred_coaching_style IN ('DIRECTIVE', 'SUPPORTIVE', 'COLLABORATIVE', 'CHALLENGING')),
    CONSTRAINT users_userprofile_session_frequency_check CHECK (session_frequency IN ('DAILY', 'WEEKLY', 'BIWEEKLY', 'MONTHLY')),
    CONSTRAINT users_userprofile_notification_frequency_check CHECK (notification_frequency IN ('DAILY', 'WEEKLY', 'BIWEEKLY', 'MONTHLY')),
    CONSTRAINT users_userprofile_theme_check CHECK (theme IN ('LIGHT', 'DARK')),
    CONSTRAINT users_userprofile_coaching_goals_check CHECK (jsonb_typeof(coaching_goals) = 'object'),
    CONSTRAINT users_userprofile_created_at_updated_at_check CHECK (created_at <= updated_at),
    CONSTRAINT users_userprofile_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE,
    CONSTRAINT users_userprofile_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX users_userprofile_created_at_idx ON users_userprofile (created_at);

CREATE INDEX users_userprofile_test_scenario_id_idx ON users_userprofile (test_scenario_id);

CREATE INDEX users_userprofile_timezone_idx ON users_userprofile (timezone);

CREATE TRIGGER "users_userprofile_touch" BEFORE UPDATE ON "users_userprofile" FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION dev_coach_touch_updated_at('created_at');
