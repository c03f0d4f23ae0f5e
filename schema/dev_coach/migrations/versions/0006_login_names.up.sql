ALTER TABLE users_user ADD COLUMN username VARCHAR(150);

ALTER TABLE users_user ADD CONSTRAINT users_user_username_key UNIQUE (username);

CREATE UNIQUE INDEX users_user_email_lower_key ON users_user (lower(email));
