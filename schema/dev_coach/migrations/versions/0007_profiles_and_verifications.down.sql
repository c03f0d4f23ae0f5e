DROP TABLE authentication_verification;

DROP TABLE users_userprofile;
