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
