DROP TABLE actions_actionresult;

DROP TABLE coach_states_coachingsessionmessage;

DROP TABLE coach_states_coachingsession;
