-- Each query returns the key and a message of the rows that break one rule. There is no scope column in this
-- system, so the parameter only makes the checks callable like everybody's.

-- @check chat-not-before-its-user chats
-- rule: a chat begins after its user was made
SELECT chats.id, 'begun ' || users.created_at - chats.created_at || ' before its user was made'
FROM chats JOIN users ON users.id = chats.user_id
WHERE chats.created_at < users.created_at AND %(scope)s::uuid IS NULL
ORDER BY chats.id

-- @check message-not-before-its-chat messages
-- rule: a message is sent after its chat began
SELECT messages.id, 'sent ' || chats.created_at - messages.timestamp || ' before its chat began'
FROM messages JOIN chats ON chats.id = messages.chat_id
WHERE messages.timestamp < chats.created_at AND %(scope)s::uuid IS NULL
ORDER BY messages.id

-- @check log-not-before-its-chat logs
-- rule: a log entry is written after its chat began
SELECT logs.id, 'written ' || chats.created_at - logs.timestamp || ' before its chat began'
FROM logs JOIN chats ON chats.id = logs.chat_id
WHERE logs.timestamp < chats.created_at AND %(scope)s::uuid IS NULL
ORDER BY logs.id

-- @check changed-after-made users
-- rule: no user was changed before being made
SELECT id, 'changed before being made' FROM users
WHERE updated_at < created_at AND %(scope)s::uuid IS NULL
ORDER BY id

-- @check log-follows-a-message logs
-- rule: every send_message entry follows a message of its chat
SELECT logs.id, 'no message of the chat was sent before it'
FROM logs
WHERE logs.action = 'send_message' AND %(scope)s::uuid IS NULL
  AND NOT EXISTS (
      SELECT FROM messages WHERE messages.chat_id = logs.chat_id AND messages.timestamp <= logs.timestamp
  )
ORDER BY logs.id

-- @check at-most-one-log-a-message logs
-- rule: between two messages of a chat lies at most one send_message entry
SELECT min(logs.id::text), count(*) || ' entries tell of one message'
FROM logs
CROSS JOIN LATERAL (
    SELECT messages.timestamp AS sent FROM messages
    WHERE messages.chat_id = logs.chat_id AND messages.timestamp <= logs.timestamp
    ORDER BY messages.timestamp DESC LIMIT 1
) AS told
WHERE logs.action = 'send_message' AND %(scope)s::uuid IS NULL
GROUP BY logs.chat_id, told.sent
-- Messages of one time cannot be told apart, nor can their entries.
HAVING count(*) > (
    SELECT count(*) FROM messages WHERE messages.chat_id = logs.chat_id AND messages.timestamp = told.sent
)
ORDER BY 1

-- @check audit-row-for-each-question messages
-- rule: the first message of a chat is a person's and has its send_message entry
SELECT first.id, 'the audit trail does not know of it'
FROM (
    SELECT DISTINCT ON (chat_id) id, chat_id, timestamp FROM messages ORDER BY chat_id, timestamp, id
) AS first
WHERE %(scope)s::uuid IS NULL
  AND NOT EXISTS (
      SELECT FROM logs
      WHERE logs.chat_id = first.chat_id AND logs.action = 'send_message' AND logs.timestamp >= first.timestamp
  )
ORDER BY first.id

-- @check sender-owns-the-chat messages
-- rule: a message is sent by the user whose chat it is
SELECT messages.id, 'sent by somebody else than the chat''s user'
FROM messages JOIN chats ON chats.id = messages.chat_id
WHERE messages.sender_id <> chats.user_id AND %(scope)s::uuid IS NULL
ORDER BY messages.id

-- @check log-of-the-chats-user logs
-- rule: a log entry is of the user whose chat it is
SELECT logs.id, 'of somebody else than the chat''s user'
FROM logs JOIN chats ON chats.id = logs.chat_id
WHERE logs.user_id <> chats.user_id AND %(scope)s::uuid IS NULL
ORDER BY logs.id

-- @check distinct-times-in-a-chat messages
-- rule: no two messages of a chat have the same time
SELECT min(id::text), count(*) || ' messages of one time: their order is not known'
FROM messages
WHERE %(scope)s::uuid IS NULL
GROUP BY chat_id, timestamp HAVING count(*) > 1
ORDER BY 1

-- @check sent-details-are-a-preview logs
-- rule: the details of a send_message entry are at most 67 characters that begin with "Message sent: "
SELECT id, 'its details are not a preview of a message'
FROM logs
WHERE action = 'send_message' AND %(scope)s::uuid IS NULL
  AND (
      details IS NULL OR jsonb_typeof(details -> 'text') IS DISTINCT FROM 'string'
      OR NOT starts_with(details ->> 'text', 'Message sent: ') OR right(details ->> 'text', 3) <> '...'
      OR length(details ->> 'text') > 67
  )
ORDER BY id

-- @check address-domain-in-lower-case users
-- rule: the domain of an address is in lower case
SELECT id, 'the domain of its address has upper-case letters'
FROM users
WHERE split_part(email, '@', 2) <> lower(split_part(email, '@', 2)) AND %(scope)s::uuid IS NULL
ORDER BY id

-- @check message-not-blank messages
-- rule: no message is blank
SELECT id, 'it is blank' FROM messages
WHERE btrim(content, E' \t\r\n') = '' AND %(scope)s::uuid IS NULL
ORDER BY id
