DROP TABLE coach_states_coachstate;

DROP TABLE identities_identity;
