DROP TABLE user_notes_usernote;

DROP TABLE actions_action;
