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
