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
