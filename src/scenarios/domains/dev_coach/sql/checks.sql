-- What must hold in Dev Coach beyond what its constraints can say. Each query returns the rows that break one
-- rule, as (key, message); the parameter scope is an instance's id, or NULL for everything.

-- @check one-coach-state users_user
-- rule: Every person has exactly one coach state.
-- source: database overview, "Each user has exactly one coach state"
SELECT u.id, 'has no coach state'
  FROM users_user AS u
 WHERE (%(scope)s::uuid IS NULL OR u.test_scenario_id = %(scope)s)
   AND NOT EXISTS (SELECT FROM coach_states_coachstate AS s WHERE s.user_id = u.id)
 ORDER BY u.id;

-- @check own-identities-in-state coach_states_coachstate
-- rule: The current and the proposed identity belong to the person.
-- source: schema overview, "Identities (One-to-Many)"
SELECT s.id, format('names identity %%s of another person', i.id)
  FROM coach_states_coachstate AS s
  JOIN identities_identity AS i ON i.id IN (s.current_identity_id, s.proposed_identity_id)
 WHERE (%(scope)s::uuid IS NULL OR s.test_scenario_id = %(scope)s)
   AND i.user_id <> s.user_id
 ORDER BY s.id;

-- @check no-current-identity-before-refinement coach_states_coachstate
-- rule: Nobody has a current identity before IDENTITY_REFINEMENT.
-- source: coaching programme, phases
SELECT s.id, format('has a current identity in %%s', s.current_phase)
  FROM coach_states_coachstate AS s
 WHERE (%(scope)s::uuid IS NULL OR s.test_scenario_id = %(scope)s)
   AND s.current_identity_id IS NOT NULL
   AND s.current_phase IN ('GET_TO_KNOW_YOU', 'IDENTITY_CREATION')
 ORDER BY s.id;

-- @check current-identity-is-oldest-unfinished coach_states_coachstate
-- rule: In IDENTITY_REFINEMENT the current identity is the oldest one that is not REFINEMENT_COMPLETE, if any.
-- source: coaching programme, phases
SELECT s.id, format('works on %%s; the oldest unfinished identity is %%s',
                    coalesce(s.current_identity_id::text, 'none'), coalesce(oldest.id::text, 'none'))
  FROM coach_states_coachstate AS s
  LEFT JOIN LATERAL (
       SELECT i.id
         FROM identities_identity AS i
        WHERE i.user_id = s.user_id
          AND i.state IS DISTINCT FROM 'REFINEMENT_COMPLETE'
        ORDER BY i.created_at, i.id
        LIMIT 1) AS oldest ON true
 WHERE (%(scope)s::uuid IS NULL OR s.test_scenario_id = %(scope)s)
   AND s.current_phase = 'IDENTITY_REFINEMENT'
   AND s.current_identity_id IS DISTINCT FROM oldest.id
 ORDER BY s.id;

-- @check no-identities-before-creation identities_identity
-- rule: Nobody has identities in GET_TO_KNOW_YOU.
-- source: coaching programme, phases
SELECT i.id, 'exists while its person is in GET_TO_KNOW_YOU'
  FROM identities_identity AS i
  JOIN coach_states_coachstate AS s ON s.user_id = i.user_id
 WHERE (%(scope)s::uuid IS NULL OR i.test_scenario_id = %(scope)s)
   AND s.current_phase = 'GET_TO_KNOW_YOU'
 ORDER BY i.id;

-- @check states-fit-phase identities_identity
-- rule: No identity is beyond PROPOSED before refinement, none but a proposed one is unfinished after it.
-- source: coaching programme, phases
SELECT i.id, format('is %%s while its person is in %%s', coalesce(i.state, 'without a state'), s.current_phase)
  FROM identities_identity AS i
  JOIN coach_states_coachstate AS s ON s.user_id = i.user_id
 WHERE (%(scope)s::uuid IS NULL OR i.test_scenario_id = %(scope)s)
   AND CASE s.current_phase
            WHEN 'IDENTITY_CREATION' THEN i.state IN ('ACCEPTED', 'REFINEMENT_COMPLETE')
            WHEN 'INTEGRATION' THEN i.state IS DISTINCT FROM 'REFINEMENT_COMPLETE'
                 AND s.proposed_identity_id IS DISTINCT FROM i.id
            WHEN 'COMPLETED' THEN i.state IS DISTINCT FROM 'REFINEMENT_COMPLETE'
                 AND s.proposed_identity_id IS DISTINCT FROM i.id
            ELSE false
       END
 ORDER BY i.id;

-- @check texts-of-completed identities_identity
-- rule: Once COMPLETED, every finished identity has an affirmation and a visualization.
-- source: coaching programme, phases
SELECT i.id, format('has no %%s', concat_ws(' and no ',
           CASE WHEN coalesce(i.affirmation, '') = '' THEN 'affirmation' END,
           CASE WHEN coalesce(i.visualization, '') = '' THEN 'visualization' END))
  FROM identities_identity AS i
  JOIN coach_states_coachstate AS s ON s.user_id = i.user_id
 WHERE (%(scope)s::uuid IS NULL OR i.test_scenario_id = %(scope)s)
   AND s.current_phase = 'COMPLETED'
   AND i.state = 'REFINEMENT_COMPLETE'
   AND (coalesce(i.affirmation, '') = '' OR coalesce(i.visualization, '') = '')
 ORDER BY i.id;

-- @check identity-names-differ identities_identity
-- rule: The identities of a person have different names, whatever their case.
-- source: coaching programme, creation of identities
SELECT i.id, format('is named %%L like an older identity', i.name)
  FROM identities_identity AS i
 WHERE (%(scope)s::uuid IS NULL OR i.test_scenario_id = %(scope)s)
   AND EXISTS (SELECT
                 FROM identities_identity AS o
                WHERE o.user_id = i.user_id
                  AND lower(o.name) = lower(i.name)
                  AND (o.created_at, o.id) < (i.created_at, i.id))
 ORDER BY i.id;

-- @check identity-notes-differ identities_identity
-- rule: The notes of an identity are different.
-- source: coaching programme, notes
SELECT i.id, format('has the note %%L twice', n.note)
  FROM identities_identity AS i
 CROSS JOIN LATERAL (SELECT note FROM unnest(i.notes) AS note GROUP BY note HAVING count(*) > 1 LIMIT 1) AS n
 WHERE (%(scope)s::uuid IS NULL OR i.test_scenario_id = %(scope)s)
 ORDER BY i.id;

-- @check user-notes-differ user_notes_usernote
-- rule: The notes about a person are different.
-- source: coaching programme, notes
SELECT n.id, format('is the same as an older note: %%L', left(n.note, 60))
  FROM user_notes_usernote AS n
 WHERE (%(scope)s::uuid IS NULL OR n.test_scenario_id = %(scope)s)
   AND EXISTS (SELECT
                 FROM user_notes_usernote AS o
                WHERE o.user_id = n.user_id
                  AND o.note = n.note
                  AND (o.created_at, o.id) < (n.created_at, n.id))
 ORDER BY n.id;

-- @check skipped-categories-differ coach_states_coachstate
-- rule: No category is skipped twice.
-- source: coaching programme, brainstorming
SELECT s.id, format('skips %%s twice', c.category)
  FROM coach_states_coachstate AS s
 CROSS JOIN LATERAL (SELECT category
                       FROM unnest(s.skipped_identity_categories) AS category
                      GROUP BY category HAVING count(*) > 1 LIMIT 1) AS c
 WHERE (%(scope)s::uuid IS NULL OR s.test_scenario_id = %(scope)s)
 ORDER BY s.id;

-- @check no-identity-in-skipped-category identities_identity
-- rule: No identity is in a category its person skipped.
-- source: coaching programme, brainstorming
SELECT i.id, format('is in %%s, which was skipped', i.category)
  FROM identities_identity AS i
  JOIN coach_states_coachstate AS s ON s.user_id = i.user_id
 WHERE (%(scope)s::uuid IS NULL OR i.test_scenario_id = %(scope)s)
   AND i.category = ANY (s.skipped_identity_categories)
 ORDER BY i.id;

-- @check every-category-covered coach_states_coachstate
-- rule: From IDENTITY_REFINEMENT on every category has an identity or was skipped.
-- source: coaching programme, brainstorming
SELECT s.id, format('has neither an identity in %%s nor skipped it', string_agg(c.category, ', ' ORDER BY c.place))
  FROM coach_states_coachstate AS s
 CROSS JOIN unnest(ARRAY['PASSIONS_AND_TALENTS', 'MAKER_OF_MONEY', 'KEEPER_OF_MONEY', 'SPIRITUAL',
                         'PERSONAL_APPEARANCE', 'PHYSICAL_EXPRESSION', 'FAMILIAL_RELATIONS',
                         'ROMANTIC_RELATION', 'DOER_OF_THINGS']) WITH ORDINALITY AS c (category, place)
 WHERE (%(scope)s::uuid IS NULL OR s.test_scenario_id = %(scope)s)
   AND s.current_phase IN ('IDENTITY_REFINEMENT', 'INTEGRATION', 'COMPLETED')
   AND NOT c.category = ANY (s.skipped_identity_categories)
   AND NOT EXISTS (SELECT FROM identities_identity AS i WHERE i.user_id = s.user_id AND i.category = c.category)
 GROUP BY s.id
 ORDER BY s.id;

-- @check questions-in-asking-order coach_states_coachstate
-- rule: The topics asked are the first ones in asking order, each once.
-- source: coaching programme, getting to know
SELECT s.id, format('asked %%s', array_to_string(s.asked_questions, ', '))
  FROM coach_states_coachstate AS s
 WHERE (%(scope)s::uuid IS NULL OR s.test_scenario_id = %(scope)s)
   AND s.asked_questions::text[] IS DISTINCT FROM
       coalesce((ARRAY['BACKGROUND_UPBRINGING', 'FAMILY_STRUCTURE', 'WORK_LIVING', 'HOBBIES_INTERESTS',
                       'WHY_HERE_HOPES'])[:cardinality(s.asked_questions)], '{}')
 ORDER BY s.id;

-- @check all-questions-asked coach_states_coachstate
-- rule: After GET_TO_KNOW_YOU all five topics have been asked.
-- source: coaching programme, getting to know
SELECT s.id, format('asked %%s of 5 topics and is in %%s', cardinality(s.asked_questions), s.current_phase)
  FROM coach_states_coachstate AS s
 WHERE (%(scope)s::uuid IS NULL OR s.test_scenario_id = %(scope)s)
   AND s.current_phase <> 'GET_TO_KNOW_YOU'
   AND cardinality(s.asked_questions) < 5
 ORDER BY s.id;

-- @check descriptions-fit-phase coach_states_coachstate
-- rule: Nobody has described themselves in GET_TO_KNOW_YOU; from IDENTITY_REFINEMENT on everybody has.
-- source: coaching programme, warm-up
SELECT s.id, format('has %%s words for who they are and %%s for who they want to be in %%s',
                    cardinality(s.who_you_are), cardinality(s.who_you_want_to_be), s.current_phase)
  FROM coach_states_coachstate AS s
 WHERE (%(scope)s::uuid IS NULL OR s.test_scenario_id = %(scope)s)
   AND CASE s.current_phase
            WHEN 'GET_TO_KNOW_YOU' THEN cardinality(s.who_you_are) + cardinality(s.who_you_want_to_be) > 0
            WHEN 'IDENTITY_CREATION' THEN false
            ELSE cardinality(s.who_you_are) = 0 OR cardinality(s.who_you_want_to_be) = 0
       END
 ORDER BY s.id;

-- @check conversation-starts-with-coach chat_messages_chatmessage
-- rule: A conversation starts with the coach.
-- source: coaching programme, conversations
SELECT m.id, 'is the first message and the coach did not say it'
  FROM (SELECT DISTINCT ON (user_id) id, role
          FROM chat_messages_chatmessage
         WHERE %(scope)s::uuid IS NULL OR test_scenario_id = %(scope)s
         ORDER BY user_id, timestamp, id) AS m
 WHERE m.role <> 'COACH'
 ORDER BY m.id;

-- @check message-times-increase chat_messages_chatmessage
-- rule: No two messages of a person have the same time.
-- source: schema overview, "Conversation history preservation"
SELECT m.id, format('has the time of the message before it, %%s', m.timestamp)
  FROM (SELECT id, timestamp, lag(timestamp) OVER (PARTITION BY user_id ORDER BY timestamp, id) AS before
          FROM chat_messages_chatmessage
         WHERE %(scope)s::uuid IS NULL OR test_scenario_id = %(scope)s) AS m
 WHERE m.timestamp = m.before
 ORDER BY m.id;

-- @check message-has-content chat_messages_chatmessage
-- rule: A message has a text, or metadata that is shown instead.
-- source: coaching programme, conversations
SELECT m.id, 'has neither text nor metadata'
  FROM chat_messages_chatmessage AS m
 WHERE (%(scope)s::uuid IS NULL OR m.test_scenario_id = %(scope)s)
   AND m.content !~ '\S'
   AND m.metadata IS NULL
 ORDER BY m.id;

-- @check action-by-coach-message actions_action
-- rule: An action is triggered by a message of the coach to the same person.
-- source: schema overview, "ChatMessage (Trigger)"
SELECT a.id, format('was triggered by a message of %%s', CASE WHEN m.user_id <> a.user_id THEN 'another person' ELSE m.role END)
  FROM actions_action AS a
  JOIN chat_messages_chatmessage AS m ON m.id = a.coach_message_id
 WHERE (%(scope)s::uuid IS NULL OR a.test_scenario_id = %(scope)s)
   AND (m.user_id <> a.user_id OR m.role <> 'COACH')
 ORDER BY a.id;

-- @check action-after-message actions_action
-- rule: An action is not older than the message that triggered it.
-- source: schema overview, data flow
SELECT a.id, format('happened at %%s, its message was said at %%s', a.timestamp, m.timestamp)
  FROM actions_action AS a
  JOIN chat_messages_chatmessage AS m ON m.id = a.coach_message_id
 WHERE (%(scope)s::uuid IS NULL OR a.test_scenario_id = %(scope)s)
   AND a.timestamp < m.timestamp
 ORDER BY a.id;

-- @check one-action-of-a-type-per-message actions_action
-- rule: A message triggers at most one action of each type.
-- source: coaching programme, actions
SELECT a.id, format('is another %%s of message %%s', a.action_type, a.coach_message_id)
  FROM (SELECT id, action_type, coach_message_id,
               row_number() OVER (PARTITION BY coach_message_id, action_type ORDER BY timestamp, id) AS place
          FROM actions_action
         WHERE %(scope)s::uuid IS NULL OR test_scenario_id = %(scope)s) AS a
 WHERE a.place > 1
 ORDER BY a.id;

-- @check last-transition-leads-to-phase coach_states_coachstate
-- rule: The last logged transition leads to the phase the person is in.
-- source: coaching programme, phases
SELECT s.id, format('is in %%s; the last transition led to %%s', s.current_phase, t.to_phase)
  FROM coach_states_coachstate AS s
  JOIN (SELECT DISTINCT ON (user_id) user_id, parameters ->> 'to_phase' AS to_phase
          FROM actions_action
         WHERE action_type = 'TRANSITION_PHASE'
         ORDER BY user_id, timestamp DESC, id DESC) AS t ON t.user_id = s.user_id
 WHERE (%(scope)s::uuid IS NULL OR s.test_scenario_id = %(scope)s)
   AND t.to_phase IS DISTINCT FROM s.current_phase
 ORDER BY s.id;

-- @check transitions-follow-order actions_action
-- rule: A logged transition leads to the phase after the one before, to the same, or back to the first.
-- source: database overview, "Phase transition validation"
SELECT t.id, format('goes from %%s to %%s', coalesce(t.from_phase, 'GET_TO_KNOW_YOU'), coalesce(t.to_phase, 'nowhere'))
  FROM (SELECT id, test_scenario_id, parameters ->> 'to_phase' AS to_phase,
               lag(parameters ->> 'to_phase') OVER (PARTITION BY user_id ORDER BY timestamp, id) AS from_phase
          FROM actions_action
         WHERE action_type = 'TRANSITION_PHASE') AS t
 CROSS JOIN (SELECT ARRAY['GET_TO_KNOW_YOU', 'IDENTITY_CREATION', 'IDENTITY_REFINEMENT', 'INTEGRATION',
                          'COMPLETED']) AS p (phases)
 WHERE (%(scope)s::uuid IS NULL OR t.test_scenario_id = %(scope)s)
   AND NOT coalesce(
           array_position(p.phases, t.to_phase) = 1
           -- The log may begin anywhere: what came before it was not recorded.
           OR t.from_phase IS NULL AND t.to_phase = ANY (p.phases)
           OR array_position(p.phases, t.to_phase) - array_position(p.phases, t.from_phase) IN (0, 1), false)
 ORDER BY t.id;

-- @check action-ids-are-own actions_action
-- rule: An id in an action's parameters is one of the person's own rows.
-- source: coaching programme, actions
SELECT a.id, format('names %%s under %%L, which is none of the person''s rows', p.value, p.key)
  FROM actions_action AS a
 CROSS JOIN LATERAL jsonb_each_text(a.parameters) AS p (key, value)
 WHERE (%(scope)s::uuid IS NULL OR a.test_scenario_id = %(scope)s)
   AND p.value ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
   AND NOT EXISTS (SELECT FROM identities_identity AS i WHERE i.id::text = p.value AND i.user_id = a.user_id)
   AND NOT EXISTS (SELECT FROM chat_messages_chatmessage AS m WHERE m.id::text = p.value AND m.user_id = a.user_id)
   AND NOT EXISTS (SELECT FROM user_notes_usernote AS n WHERE n.id::text = p.value AND n.user_id = a.user_id)
 ORDER BY a.id;

-- @check note-after-source user_notes_usernote
-- rule: A note is not older than the message it was learned from.
-- source: schema overview, "UserNotes extracted"
SELECT n.id, format('was made at %%s, its message was said at %%s', n.created_at, m.timestamp)
  FROM user_notes_usernote AS n
  JOIN chat_messages_chatmessage AS m ON m.id = n.source_message_id
 WHERE (%(scope)s::uuid IS NULL OR n.test_scenario_id = %(scope)s)
   AND n.created_at < m.timestamp
 ORDER BY n.id;

-- @check note-from-own-words user_notes_usernote
-- rule: A note is learned from what the person said.
-- source: schema overview, "UserNotes (One-to-Many via source_message)"
SELECT n.id, format('was learned from a message of %%s', CASE WHEN m.user_id <> n.user_id THEN 'another person' ELSE 'the coach' END)
  FROM user_notes_usernote AS n
  JOIN chat_messages_chatmessage AS m ON m.id = n.source_message_id
 WHERE (%(scope)s::uuid IS NULL OR n.test_scenario_id = %(scope)s)
   AND (m.user_id <> n.user_id OR m.role <> 'USER')
 ORDER BY n.id;

-- @check note-after-first-word user_notes_usernote
-- rule: No note is older than the first thing the person said, where they said anything.
-- source: coaching programme, notes
SELECT n.id, format('was made at %%s, before the person said anything', n.created_at)
  FROM user_notes_usernote AS n
  JOIN (SELECT user_id, min(timestamp) AS first_word
          FROM chat_messages_chatmessage
         WHERE role = 'USER'
         GROUP BY user_id) AS m ON m.user_id = n.user_id
 WHERE (%(scope)s::uuid IS NULL OR n.test_scenario_id = %(scope)s)
   AND n.created_at < m.first_word
 ORDER BY n.id;

-- @check prompt-versions-consecutive prompts_prompt
-- rule: The versions of a phase's prompt count up from 1 without gaps.
-- source: database overview, "AI prompt templates and versions"
SELECT p.id, format('is version %%s; the one before it is %%s', p.version, coalesce(p.before::text, 'missing'))
  FROM (SELECT id, version, lag(version) OVER (PARTITION BY coaching_phase ORDER BY version) AS before
          FROM prompts_prompt) AS p
 WHERE %(scope)s::uuid IS NULL
   AND p.version <> coalesce(p.before, 0) + 1
 ORDER BY p.id;

-- @check nothing-older-than-its-person users_user
-- rule: Nothing of a person is older than the person, and nobody signed in before that.
-- source: coaching programme, times
SELECT u.id, format('was created at %%s; the oldest %%s is of %%s', u.created_at, t.kind, t.oldest)
  FROM users_user AS u
 CROSS JOIN LATERAL (
       SELECT kind, oldest
         FROM (VALUES ('identity', (SELECT min(created_at) FROM identities_identity WHERE user_id = u.id)),
                      ('message', (SELECT min(timestamp) FROM chat_messages_chatmessage WHERE user_id = u.id)),
                      ('action', (SELECT min(timestamp) FROM actions_action WHERE user_id = u.id)),
                      ('note', (SELECT min(created_at) FROM user_notes_usernote WHERE user_id = u.id)),
                      ('session', (SELECT min(started_at) FROM coach_states_coachingsession WHERE user_id = u.id)),
                      ('sign-in', u.last_login)) AS v (kind, oldest)
        WHERE oldest < u.created_at
        ORDER BY oldest
        LIMIT 1) AS t
 WHERE %(scope)s::uuid IS NULL OR u.test_scenario_id = %(scope)s
 ORDER BY u.id;

-- @check session-holds-its-messages coach_states_coachingsessionmessage
-- rule: A message of a session was said while it lasted.
-- source: database overview, "Messages are grouped by coaching sessions"
SELECT l.id, format('was said at %%s, the session lasted from %%s to %%s', m.timestamp, c.started_at,
                    coalesce(c.ended_at::text, 'now'))
  FROM coach_states_coachingsessionmessage AS l
  JOIN coach_states_coachingsession AS c ON c.id = l.session_id
  JOIN chat_messages_chatmessage AS m ON m.id = l.message_id
 WHERE (%(scope)s::uuid IS NULL OR l.test_scenario_id = %(scope)s)
   AND (m.timestamp < c.started_at OR m.timestamp > c.ended_at)
 ORDER BY l.id;

-- @check rows-share-scenario users_user
-- rule: What belongs to a person belongs to the person's instance of a scenario.
-- source: schema overview, "Test Scenario Isolation"
SELECT u.id, format('belongs to %%s and has %%s of %%s', coalesce(u.test_scenario_id::text, 'no scenario'), t.kind,
                    coalesce(t.other::text, 'none'))
  FROM users_user AS u
 CROSS JOIN LATERAL (
       SELECT 'a coach state' AS kind, test_scenario_id AS other FROM coach_states_coachstate WHERE user_id = u.id
       UNION ALL SELECT 'an identity', test_scenario_id FROM identities_identity WHERE user_id = u.id
       UNION ALL SELECT 'a message', test_scenario_id FROM chat_messages_chatmessage WHERE user_id = u.id
       UNION ALL SELECT 'an action', test_scenario_id FROM actions_action WHERE user_id = u.id
       UNION ALL SELECT 'a note', test_scenario_id FROM user_notes_usernote WHERE user_id = u.id
       UNION ALL SELECT 'a session', test_scenario_id FROM coach_states_coachingsession WHERE user_id = u.id
       UNION ALL SELECT 'a profile', test_scenario_id FROM users_userprofile WHERE user_id = u.id
       UNION ALL SELECT 'a token', test_scenario_id FROM authentication_verification WHERE user_id = u.id) AS t
 WHERE (%(scope)s::uuid IS NULL OR u.test_scenario_id = %(scope)s)
   AND t.other IS DISTINCT FROM u.test_scenario_id
 ORDER BY u.id;
