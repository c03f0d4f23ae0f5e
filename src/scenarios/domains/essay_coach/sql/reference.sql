-- The rows every institution shares. Their keys are fixed: scenarios name them.
INSERT INTO roles (code, label, description, permissions) VALUES
    ('student', 'Student', 'Writes essays and reads the feedback on them.',
     '["essays.write_own", "feedback.read_own", "analytics.read_own"]'),
    ('educator', 'Educator', 'Reads the work of the institution''s students and makes reports.',
     '["essays.read_institution", "feedback.read_institution", "analytics.read_institution", "reports.write"]'),
    ('admin', 'Admin', 'Looks after one institution.', '["*"]')
ON CONFLICT (code) DO NOTHING;

INSERT INTO feedback_types (id, name, description, weight, "order") VALUES
    (1, 'grammar', 'Spelling, punctuation, agreement and tense.', 0.25, 1),
    (2, 'structure', 'The order of the argument, paragraphs and transitions.', 0.30, 2),
    (3, 'content', 'The claim, its evidence and its depth.', 0.35, 3),
    (4, 'style', 'Voice, word choice and rhythm.', 0.10, 4)
ON CONFLICT DO NOTHING;

INSERT INTO categories (id, name, description, academic_level) VALUES
    (1, 'Personal narrative', 'Something that happened, and what it meant.', 'middle'),
    (2, 'Persuasive', 'A claim, the reasons for it, and an answer to the other side.', 'high'),
    (3, 'Expository', 'How something works, or why it is so.', 'high'),
    (4, 'Literary analysis', 'What a text does, shown in its words.', 'undergraduate'),
    (5, 'Research', 'A question, the literature, and an answer with sources.', 'graduate'),
    (6, 'Descriptive', 'A place, a person or a thing, so that the reader sees it.', 'elementary')
ON CONFLICT DO NOTHING;

INSERT INTO metric_types (id, name, description, unit) VALUES
    (1, 'essay_score', 'The weighted score of a completed essay.', 'percent'),
    (2, 'grammar_skill', 'How well the student handles grammar.', 'percent'),
    (3, 'logic_skill', 'How well the student argues.', 'percent'),
    (4, 'tone_skill', 'How well the student finds the tone.', 'percent'),
    (5, 'engagement_rate', 'Share of the week''s days on which the student wrote.', 'percent'),
    (6, 'submission_rate', 'Share of the essays begun that were submitted.', 'percent')
ON CONFLICT DO NOTHING;

SELECT setval(pg_get_serial_sequence(name, 'id'), 1000, false)
FROM unnest(ARRAY['feedback_types', 'categories', 'metric_types']) AS name;
