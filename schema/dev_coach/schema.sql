-- Dev Coach: the whole schema. Rendered from the models.

CREATE TABLE prompts_prompt (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    coaching_phase VARCHAR(32),
    version INTEGER DEFAULT 1 NOT NULL,
    name VARCHAR(255),
    description TEXT,
    body TEXT NOT NULL,
    required_context_keys VARCHAR(64)[] DEFAULT '{}' NOT NULL,
    allowed_actions VARCHAR(64)[] DEFAULT '{}' NOT NULL,
    prompt_type VARCHAR(32) DEFAULT 'COACH' NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT prompts_prompt_pkey PRIMARY KEY (id),
    CONSTRAINT prompts_prompt_coaching_phase_version_key UNIQUE NULLS NOT DISTINCT (coaching_phase, version),
    CONSTRAINT prompts_prompt_version_check CHECK (version > 0),
    CONSTRAINT prompts_prompt_coaching_phase_check CHECK (coaching_phase IN ('GET_TO_KNOW_YOU', 'IDENTITY_CREATION', 'IDENTITY_REFINEMENT', 'INTEGRATION', 'COMPLETED')),
    CONSTRAINT prompts_prompt_prompt_type_check CHECK (prompt_type IN ('COACH', 'SENTINEL', 'SYSTEM')),
    CONSTRAINT prompts_prompt_required_context_keys_check CHECK (required_context_keys <@ ARRAY['USER_NAME', 'IDENTITIES', 'NUMBER_OF_IDENTITIES', 'IDENTITY_FOCUS', 'WHO_YOU_ARE', 'WHO_YOU_WANT_TO_BE', 'FOCUSED_IDENTITIES', 'USER_NOTES', 'CURRENT_MESSAGE', 'PREVIOUS_MESSAGE', 'CURRENT_PHASE', 'BRAINSTORMING_CATEGORY_CONTEXT', 'CURRENT_IDENTITY', 'ASKED_QUESTIONS', 'REFINEMENT_IDENTITIES', 'AFFIRMATION_IDENTITIES', 'VISUALIZATION_IDENTITIES']::varchar[]),
    CONSTRAINT prompts_prompt_allowed_actions_check CHECK (allowed_actions <@ ARRAY['CREATE_IDENTITY', 'UPDATE_IDENTITY', 'UPDATE_IDENTITY_NAME', 'UPDATE_IDENTITY_AFFIRMATION', 'UPDATE_IDENTITY_VISUALIZATION', 'ACCEPT_IDENTITY', 'ACCEPT_IDENTITY_REFINEMENT', 'ACCEPT_IDENTITY_AFFIRMATION', 'ACCEPT_IDENTITY_VISUALIZATION', 'ADD_IDENTITY_NOTE', 'TRANSITION_PHASE', 'SELECT_IDENTITY_FOCUS', 'SKIP_IDENTITY_CATEGORY', 'UNSKIP_IDENTITY_CATEGORY', 'UPDATE_WHO_YOU_ARE', 'UPDATE_WHO_YOU_WANT_TO_BE', 'UPDATE_ASKED_QUESTIONS', 'SET_CURRENT_IDENTITY', 'ADD_USER_NOTE', 'UPDATE_USER_NOTE', 'DELETE_USER_NOTE']::varchar[]),
    CONSTRAINT prompts_prompt_created_at_updated_at_check CHECK (created_at <= updated_at)
);

CREATE INDEX prompts_prompt_active_idx ON prompts_prompt (coaching_phase, version) WHERE is_active = true;

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
    username VARCHAR(150),
    CONSTRAINT users_user_pkey PRIMARY KEY (id),
    CONSTRAINT users_user_email_key UNIQUE (email),
    CONSTRAINT users_user_username_key UNIQUE (username),
    CONSTRAINT users_user_email_check CHECK (email ~* '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$'),
    CONSTRAINT users_user_created_at_updated_at_check CHECK (created_at <= updated_at),
    CONSTRAINT users_user_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX users_user_created_at_idx ON users_user (created_at);

CREATE UNIQUE INDEX users_user_email_lower_key ON users_user (lower(email));

CREATE INDEX users_user_last_login_idx ON users_user (last_login);

CREATE INDEX users_user_real_users_idx ON users_user (email, created_at) WHERE test_scenario_id IS NULL;

CREATE INDEX users_user_test_scenario_id_idx ON users_user (test_scenario_id);

CREATE INDEX users_user_test_scenario_idx ON users_user (test_scenario_id) WHERE test_scenario_id IS NOT NULL;

CREATE INDEX users_user_updated_at_idx ON users_user (updated_at);

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

CREATE TABLE chat_messages_chatmessage (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    role VARCHAR(32) NOT NULL,
    content TEXT NOT NULL,
    timestamp TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    metadata JSONB,
    test_scenario_id UUID,
    CONSTRAINT chat_messages_chatmessage_pkey PRIMARY KEY (id),
    CONSTRAINT chat_messages_chatmessage_id_user_id_key UNIQUE (id, user_id),
    CONSTRAINT chat_messages_chatmessage_role_check CHECK (role IN ('USER', 'COACH')),
    CONSTRAINT chat_messages_chatmessage_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT chat_messages_chatmessage_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE,
    CONSTRAINT chat_messages_chatmessage_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX chat_messages_chatmessage_content_gin_idx ON chat_messages_chatmessage USING gin (to_tsvector('english', content));

CREATE INDEX chat_messages_chatmessage_recent_idx ON chat_messages_chatmessage (user_id, timestamp) WHERE timestamp > '2025-07-25 00:00:00+00'::timestamptz;

CREATE INDEX chat_messages_chatmessage_test_scenario_id_idx ON chat_messages_chatmessage (test_scenario_id);

CREATE INDEX chat_messages_chatmessage_test_scenario_idx ON chat_messages_chatmessage (test_scenario_id) WHERE test_scenario_id IS NOT NULL;

CREATE INDEX chat_messages_chatmessage_timestamp_idx ON chat_messages_chatmessage (timestamp);

CREATE INDEX chat_messages_chatmessage_user_id_idx ON chat_messages_chatmessage (user_id);

CREATE INDEX chat_messages_chatmessage_user_id_role_idx ON chat_messages_chatmessage (user_id, role);

CREATE TABLE identities_identity (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    name VARCHAR(255),
    affirmation TEXT,
    visualization TEXT,
    state VARCHAR(32) DEFAULT 'ACCEPTED',
    notes TEXT[] DEFAULT '{}' NOT NULL,
    category VARCHAR(32) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    test_scenario_id UUID,
    CONSTRAINT identities_identity_pkey PRIMARY KEY (id),
    CONSTRAINT identities_identity_id_user_id_key UNIQUE (id, user_id),
    CONSTRAINT identities_identity_state_check CHECK (state IN ('PROPOSED', 'ACCEPTED', 'REFINEMENT_COMPLETE')),
    CONSTRAINT identities_identity_category_check CHECK (category IN ('PASSIONS_AND_TALENTS', 'MAKER_OF_MONEY', 'KEEPER_OF_MONEY', 'SPIRITUAL', 'PERSONAL_APPEARANCE', 'PHYSICAL_EXPRESSION', 'FAMILIAL_RELATIONS', 'ROMANTIC_RELATION', 'DOER_OF_THINGS')),
    CONSTRAINT identities_identity_created_at_updated_at_check CHECK (created_at <= updated_at),
    CONSTRAINT identities_identity_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE,
    CONSTRAINT identities_identity_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX identities_identity_affirmation_gin_idx ON identities_identity USING gin (to_tsvector('english', affirmation));

CREATE INDEX identities_identity_created_at_idx ON identities_identity (created_at);

CREATE INDEX identities_identity_test_scenario_id_idx ON identities_identity (test_scenario_id);

CREATE INDEX identities_identity_updated_at_idx ON identities_identity (updated_at);

CREATE INDEX identities_identity_user_id_category_idx ON identities_identity (user_id, category);

CREATE INDEX identities_identity_user_id_idx ON identities_identity (user_id);

CREATE INDEX identities_identity_user_id_state_idx ON identities_identity (user_id, state);

CREATE INDEX identities_identity_visualization_gin_idx ON identities_identity USING gin (to_tsvector('english', visualization));

CREATE TABLE test_scenario_testscenariouser (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    test_scenario_id UUID NOT NULL,
    handle VARCHAR(255) NOT NULL,
    user_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT test_scenario_testscenariouser_pkey PRIMARY KEY (id),
    CONSTRAINT test_scenario_testscenariouser_handle_key UNIQUE (test_scenario_id, handle),
    CONSTRAINT test_scenario_testscenariouser_user_id_key UNIQUE (user_id),
    CONSTRAINT test_scenario_testscenariouser_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE,
    CONSTRAINT test_scenario_testscenariouser_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE
);

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

CREATE TABLE actions_action (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    action_type VARCHAR(64) NOT NULL,
    parameters JSONB DEFAULT '{}' NOT NULL,
    result_summary TEXT,
    timestamp TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    coach_message_id UUID NOT NULL,
    test_scenario_id UUID,
    CONSTRAINT actions_action_pkey PRIMARY KEY (id),
    CONSTRAINT actions_action_id_user_id_key UNIQUE (id, user_id),
    CONSTRAINT actions_action_coach_message_id_user_id_fkey FOREIGN KEY(coach_message_id, user_id) REFERENCES chat_messages_chatmessage (id, user_id) ON DELETE CASCADE,
    CONSTRAINT actions_action_action_type_check CHECK (action_type IN ('CREATE_IDENTITY', 'UPDATE_IDENTITY', 'UPDATE_IDENTITY_NAME', 'UPDATE_IDENTITY_AFFIRMATION', 'UPDATE_IDENTITY_VISUALIZATION', 'ACCEPT_IDENTITY', 'ACCEPT_IDENTITY_REFINEMENT', 'ACCEPT_IDENTITY_AFFIRMATION', 'ACCEPT_IDENTITY_VISUALIZATION', 'ADD_IDENTITY_NOTE', 'TRANSITION_PHASE', 'SELECT_IDENTITY_FOCUS', 'SKIP_IDENTITY_CATEGORY', 'UNSKIP_IDENTITY_CATEGORY', 'UPDATE_WHO_YOU_ARE', 'UPDATE_WHO_YOU_WANT_TO_BE', 'UPDATE_ASKED_QUESTIONS', 'SET_CURRENT_IDENTITY', 'ADD_USER_NOTE', 'UPDATE_USER_NOTE', 'DELETE_USER_NOTE')),
    CONSTRAINT actions_action_parameters_check CHECK (jsonb_typeof(parameters) = 'object'),
    CONSTRAINT actions_action_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE,
    CONSTRAINT actions_action_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX actions_action_action_type_idx ON actions_action (action_type);

CREATE INDEX actions_action_coach_message_id_idx ON actions_action (coach_message_id);

CREATE INDEX actions_action_test_scenario_id_idx ON actions_action (test_scenario_id);

CREATE INDEX actions_action_timestamp_idx ON actions_action (timestamp);

CREATE INDEX actions_action_user_id_idx ON actions_action (user_id);

CREATE INDEX actions_action_user_id_timestamp_idx ON actions_action (user_id, timestamp);

CREATE TABLE coach_states_coachstate (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    current_phase VARCHAR(32) DEFAULT 'GET_TO_KNOW_YOU' NOT NULL,
    current_identity_id UUID,
    proposed_identity_id UUID,
    identity_focus VARCHAR(255) DEFAULT 'PASSIONS_AND_TALENTS' NOT NULL,
    skipped_identity_categories VARCHAR(64)[] DEFAULT '{}' NOT NULL,
    who_you_are VARCHAR(255)[] DEFAULT '{}' NOT NULL,
    who_you_want_to_be VARCHAR(255)[] DEFAULT '{}' NOT NULL,
    asked_questions VARCHAR(255)[] DEFAULT '{}' NOT NULL,
    metadata JSONB DEFAULT '{}',
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    test_scenario_id UUID,
    CONSTRAINT coach_states_coachstate_pkey PRIMARY KEY (id),
    CONSTRAINT coach_states_coachstate_user_id_key UNIQUE (user_id),
    CONSTRAINT coach_states_coachstate_id_user_id_key UNIQUE (id, user_id),
    CONSTRAINT coach_states_coachstate_current_identity_id_user_id_fkey FOREIGN KEY(current_identity_id, user_id) REFERENCES identities_identity (id, user_id) ON DELETE SET NULL (current_identity_id),
    CONSTRAINT coach_states_coachstate_proposed_identity_id_user_id_fkey FOREIGN KEY(proposed_identity_id, user_id) REFERENCES identities_identity (id, user_id) ON DELETE SET NULL (proposed_identity_id),
    CONSTRAINT coach_states_coachstate_current_phase_check CHECK (current_phase IN ('GET_TO_KNOW_YOU', 'IDENTITY_CREATION', 'IDENTITY_REFINEMENT', 'INTEGRATION', 'COMPLETED')),
    CONSTRAINT coach_states_coachstate_identity_focus_check CHECK (identity_focus IN ('PASSIONS_AND_TALENTS', 'MAKER_OF_MONEY', 'KEEPER_OF_MONEY', 'SPIRITUAL', 'PERSONAL_APPEARANCE', 'PHYSICAL_EXPRESSION', 'FAMILIAL_RELATIONS', 'ROMANTIC_RELATION', 'DOER_OF_THINGS')),
    CONSTRAINT coach_states_coachstate_skipped_identity_categories_check CHECK (skipped_identity_categories <@ ARRAY['PASSIONS_AND_TALENTS', 'MAKER_OF_MONEY', 'KEEPER_OF_MONEY', 'SPIRITUAL', 'PERSONAL_APPEARANCE', 'PHYSICAL_EXPRESSION', 'FAMILIAL_RELATIONS', 'ROMANTIC_RELATION', 'DOER_OF_THINGS']::varchar[]),
    CONSTRAINT coach_states_coachstate_asked_questions_check CHECK (asked_questions <@ ARRAY['BACKGROUND_UPBRINGING', 'FAMILY_STRUCTURE', 'WORK_LIVING', 'HOBBIES_INTERESTS', 'WHY_HERE_HOPES']::varchar[]),
    CONSTRAINT coach_states_coachstate_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT coach_states_coachstate_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE,
    CONSTRAINT coach_states_coachstate_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX coach_states_coachstate_current_identity_id_idx ON coach_states_coachstate (current_identity_id);

CREATE INDEX coach_states_coachstate_proposed_identity_id_idx ON coach_states_coachstate (proposed_identity_id);

CREATE INDEX coach_states_coachstate_test_scenario_id_idx ON coach_states_coachstate (test_scenario_id);

CREATE INDEX coach_states_coachstate_updated_at_idx ON coach_states_coachstate (updated_at);

CREATE INDEX coach_states_coachstate_user_id_idx ON coach_states_coachstate (user_id);

CREATE TABLE test_scenario_testscenariochatmessage (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    test_scenario_id UUID NOT NULL,
    handle VARCHAR(255) NOT NULL,
    user_id UUID NOT NULL,
    message_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT test_scenario_testscenariochatmessage_pkey PRIMARY KEY (id),
    CONSTRAINT test_scenario_testscenariochatmessage_handle_key UNIQUE (test_scenario_id, handle),
    CONSTRAINT test_scenario_testscenariochatmessage_message_id_key UNIQUE (message_id),
    CONSTRAINT test_scenario_testscenariochatmessage_message_id_user_id_fkey FOREIGN KEY(message_id, user_id) REFERENCES chat_messages_chatmessage (id, user_id) ON DELETE CASCADE,
    CONSTRAINT test_scenario_testscenariochatmessage_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE,
    CONSTRAINT test_scenario_testscenariochatmessage_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE
);

CREATE INDEX test_scenario_testscenariochatmessage_user_id_idx ON test_scenario_testscenariochatmessage (user_id);

CREATE TABLE user_notes_usernote (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    note TEXT NOT NULL,
    source_message_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    test_scenario_id UUID,
    CONSTRAINT user_notes_usernote_pkey PRIMARY KEY (id),
    CONSTRAINT user_notes_usernote_source_message_id_user_id_fkey FOREIGN KEY(source_message_id, user_id) REFERENCES chat_messages_chatmessage (id, user_id) ON DELETE SET NULL (source_message_id),
    CONSTRAINT user_notes_usernote_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE,
    CONSTRAINT user_notes_usernote_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX user_notes_usernote_created_at_idx ON user_notes_usernote (created_at);

CREATE INDEX user_notes_usernote_note_gin_idx ON user_notes_usernote USING gin (to_tsvector('english', note));

CREATE INDEX user_notes_usernote_source_message_id_idx ON user_notes_usernote (source_message_id);

CREATE INDEX user_notes_usernote_test_scenario_id_idx ON user_notes_usernote (test_scenario_id);

CREATE INDEX user_notes_usernote_user_id_idx ON user_notes_usernote (user_id);

CREATE TABLE actions_actionresult (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    action_id UUID NOT NULL,
    success BOOLEAN DEFAULT true NOT NULL,
    summary TEXT,
    payload JSONB,
    error TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    test_scenario_id UUID,
    CONSTRAINT actions_actionresult_pkey PRIMARY KEY (id),
    CONSTRAINT actions_actionresult_action_id_key UNIQUE (action_id),
    CONSTRAINT actions_actionresult_action_id_user_id_fkey FOREIGN KEY(action_id, user_id) REFERENCES actions_action (id, user_id) ON DELETE CASCADE,
    CONSTRAINT actions_actionresult_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE,
    CONSTRAINT actions_actionresult_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX actions_actionresult_test_scenario_id_idx ON actions_actionresult (test_scenario_id);

CREATE INDEX actions_actionresult_user_id_idx ON actions_actionresult (user_id);

CREATE TABLE coach_states_coachingsession (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    coach_state_id UUID NOT NULL,
    phase VARCHAR(32) NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    test_scenario_id UUID,
    CONSTRAINT coach_states_coachingsession_pkey PRIMARY KEY (id),
    CONSTRAINT coach_states_coachingsession_id_user_id_key UNIQUE (id, user_id),
    CONSTRAINT coach_states_coachingsession_coach_state_id_user_id_fkey FOREIGN KEY(coach_state_id, user_id) REFERENCES coach_states_coachstate (id, user_id) ON DELETE CASCADE,
    CONSTRAINT coach_states_coachingsession_phase_check CHECK (phase IN ('GET_TO_KNOW_YOU', 'IDENTITY_CREATION', 'IDENTITY_REFINEMENT', 'INTEGRATION', 'COMPLETED')),
    CONSTRAINT coach_states_coachingsession_started_at_ended_at_check CHECK (started_at <= ended_at),
    CONSTRAINT coach_states_coachingsession_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE,
    CONSTRAINT coach_states_coachingsession_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX coach_states_coachingsession_coach_state_id_idx ON coach_states_coachingsession (coach_state_id);

CREATE INDEX coach_states_coachingsession_test_scenario_id_idx ON coach_states_coachingsession (test_scenario_id);

CREATE INDEX coach_states_coachingsession_user_id_started_at_idx ON coach_states_coachingsession (user_id, started_at);

CREATE TABLE coach_states_coachingsessionmessage (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    session_id UUID NOT NULL,
    message_id UUID NOT NULL,
    test_scenario_id UUID,
    CONSTRAINT coach_states_coachingsessionmessage_pkey PRIMARY KEY (id),
    CONSTRAINT coach_states_coachingsessionmessage_session_id_message_id_key UNIQUE (session_id, message_id),
    CONSTRAINT coach_states_coachingsessionmessage_session_id_user_id_fkey FOREIGN KEY(session_id, user_id) REFERENCES coach_states_coachingsession (id, user_id) ON DELETE CASCADE,
    CONSTRAINT coach_states_coachingsessionmessage_message_id_user_id_fkey FOREIGN KEY(message_id, user_id) REFERENCES chat_messages_chatmessage (id, user_id) ON DELETE CASCADE,
    CONSTRAINT coach_states_coachingsessionmessage_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE,
    CONSTRAINT coach_states_coachingsessionmessage_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX coach_states_coachingsessionmessage_message_id_idx ON coach_states_coachingsessionmessage (message_id);

CREATE INDEX coach_states_coachingsessionmessage_test_scenario_id_idx ON coach_states_coachingsessionmessage (test_scenario_id);

CREATE INDEX coach_states_coachingsessionmessage_user_id_idx ON coach_states_coachingsessionmessage (user_id);

ALTER TABLE test_scenario_testscenario ADD CONSTRAINT test_scenario_testscenario_created_by_id_fkey FOREIGN KEY(created_by_id) REFERENCES users_user (id) ON DELETE SET NULL;

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

CREATE TRIGGER "coach_states_coachstate_touch" BEFORE UPDATE ON "coach_states_coachstate" FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION dev_coach_touch_updated_at();

CREATE TRIGGER "identities_identity_touch" BEFORE UPDATE ON "identities_identity" FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION dev_coach_touch_updated_at('created_at');

CREATE TRIGGER "prompts_prompt_touch" BEFORE UPDATE ON "prompts_prompt" FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION dev_coach_touch_updated_at('created_at');

CREATE TRIGGER "test_scenario_testscenario_touch" BEFORE UPDATE ON "test_scenario_testscenario" FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION dev_coach_touch_updated_at('created_at');

CREATE TRIGGER "users_user_touch" BEFORE UPDATE ON "users_user" FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION dev_coach_touch_updated_at('created_at');

CREATE TRIGGER "users_userprofile_touch" BEFORE UPDATE ON "users_userprofile" FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION dev_coach_touch_updated_at('created_at');

CREATE TRIGGER "coach_states_coachstate_phase_transition" BEFORE UPDATE OF current_phase ON "coach_states_coachstate" FOR EACH ROW
    WHEN (OLD.current_phase IS DISTINCT FROM NEW.current_phase)
    EXECUTE FUNCTION dev_coach_phase_transition('GET_TO_KNOW_YOU', 'IDENTITY_CREATION', 'IDENTITY_REFINEMENT', 'INTEGRATION', 'COMPLETED');
