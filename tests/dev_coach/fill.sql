-- 100,000 messages of 500 users, with identities, coach states, actions and notes, made by the database itself.
INSERT INTO users_user (id, email, password, created_at, updated_at)
SELECT md5('user ' || n)::uuid, 'user' || n || '@example.com', '!', at, at
  FROM generate_series(1, 500) AS n, LATERAL (SELECT timestamptz '2025-06-01 08:00:00+00' AS at) AS start;

INSERT INTO identities_identity (id, user_id, name, category, created_at, updated_at)
SELECT md5('identity ' || n || ' ' || k)::uuid, md5('user ' || n)::uuid, 'Identity ' || k,
       (ARRAY['PASSIONS_AND_TALENTS', 'MAKER_OF_MONEY', 'SPIRITUAL', 'DOER_OF_THINGS'])[1 + k % 4],
       timestamptz '2025-06-01 09:00:00+00' - k * interval '1 minute', timestamptz '2025-06-02 00:00:00+00'
  FROM generate_series(1, 500) AS n, generate_series(1, 8) AS k;

INSERT INTO coach_states_coachstate (user_id, current_identity_id, proposed_identity_id)
SELECT md5('user ' || n)::uuid, md5('identity ' || n || ' 1')::uuid, md5('identity ' || n || ' 2')::uuid
  FROM generate_series(1, 500) AS n;

-- Said in turns: the messages of a user are spread over the whole table.
INSERT INTO chat_messages_chatmessage (id, user_id, role, content, timestamp)
SELECT md5('message ' || n || ' ' || k)::uuid, md5('user ' || n)::uuid,
       CASE k % 2 WHEN 0 THEN 'USER' ELSE 'COACH' END, 'turn ' || k,
       timestamptz '2025-06-01 09:00:00+00' + k * interval '10 minutes' + n * interval '1 second'
  FROM generate_series(1, 200) AS k, generate_series(1, 500) AS n;

INSERT INTO actions_action (user_id, coach_message_id, action_type, timestamp)
SELECT md5('user ' || n)::uuid, md5('message ' || n || ' ' || k)::uuid, 'ADD_IDENTITY_NOTE',
       timestamptz '2025-06-01 09:00:00+00' + k * interval '10 minutes' + n * interval '2 seconds'
  FROM generate_series(1, 199, 6) AS k, generate_series(1, 500) AS n;
