DROP TABLE feedback, ai_responses, submissions, essays, feedback_types, categories;
