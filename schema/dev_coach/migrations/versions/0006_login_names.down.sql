DROP INDEX users_user_email_lower_key;

ALTER TABLE users_user DROP COLUMN username;
