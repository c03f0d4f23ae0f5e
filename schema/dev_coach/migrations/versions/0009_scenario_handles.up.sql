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
