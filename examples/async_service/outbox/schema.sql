CREATE TYPE state AS ENUM ('waiting', 'sent', 'dead');

CREATE TABLE recipient (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    address text NOT NULL UNIQUE
);

CREATE TABLE message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient_id bigint NOT NULL REFERENCES recipient ON DELETE CASCADE,
    body text NOT NULL CHECK (body <> ''),
    state state NOT NULL DEFAULT 'waiting',
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 3),
    queued_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    CHECK ((state = 'sent') = (sent_at IS NOT NULL))
);

CREATE INDEX message_waiting ON message (queued_at) WHERE state = 'waiting';
