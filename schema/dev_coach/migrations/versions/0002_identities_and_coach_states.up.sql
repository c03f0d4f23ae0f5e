CREATE TABLE identities_identity (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    name VARCHAR(255),
    affirmation TEXT,
    visualization TEXT,
    state VARCHAR(32) DEFAULT 'ACCEPTED',
    notes TEXT[] DEFAULT '{}' NOT NULL,
    category VARCHAR(32) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    test_scenario_id UUID,
    CONSTRAINT identities_identity_pkey PRIMARY KEY (id),
    CONSTRAINT identities_identity_id_user_id_key UNIQUE (id, user_id),
    CONSTRAINT identities_identity_state_check CHECK (state IN ('PROPOSED', 'ACCEPTED', 'REFINEMENT_COMPLETE')),
    CONSTRAINT identities_identity_category_check CHECK (category IN ('PASSIONS_AND_TALENTS', 'MAKER_OF_MONEY', 'KEEPER_OF_MONEY', 'SPIRITUAL', 'PERSONAL_APPEARANCE', 'PHYSICAL_EXPRESSION', 'FAMILIAL_RELATIONS', 'ROMANTIC_RELATION', 'DOER_OF_THINGS')),
    CONSTRAINT identities_identity_created_at_updated_at_check CHECK (created_at <= updated_at),
    CONSTRAINT identities_identity_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE,
    CONSTRAINT identities_identity_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX identities_identity_affirmation_gin_idx ON identities_identity USING gin (to_tsvector('english', affirmation));

CREATE INDEX identities_identity_created_at_idx ON identities_identity (created_at);

CREATE INDEX identities_identity_test_scenario_id_idx ON identities_identity (test_scenario_id);

CREATE INDEX identities_identity_updated_at_idx ON identities_identity (updated_at);

CREATE INDEX identities_identity_user_id_category_idx ON identities_identity (user_id, category);

CREATE INDEX identities_identity_user_id_idx ON identities_identity (user_id);

CREATE INDEX identities_identity_user_id_state_idx ON identities_identity (user_id, state);

CREATE INDEX identities_identity_visualization_gin_idx ON identities_identity USING gin (to_tsvector('english', visualization));

CREATE TABLE coach_states_coachstate (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    current_phase VARCHAR(32) DEFAULT 'GET_TO_KNOW_YOU' NOT NULL,
    current_identity_id UUID,
    proposed_identity_id UUID,
    identity_focus VARCHAR(255) DEFAULT 'PASSIONS_AND_TALENTS' NOT NULL,
    skipped_identity_categories VARCHAR(64)[] DEFAULT '{}' NOT NULL,
    who_you_are VARCHAR(255)[] DEFAULT '{}' NOT NULL,
    who_you_want_to_be VARCHAR(255)[] DEFAULT '{}' NOT NULL,
    asked_questions VARCHAR(255)[] DEFAULT '{}' NOT NULL,
    metadata JSONB DEFAULT '{}',
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    test_scenario_id UUID,
    CONSTRAINT coach_states_coachstate_pkey PRIMARY KEY (id),
    CONSTRAINT coach_states_coachstate_user_id_key UNIQUE (user_id),
    CONSTRAINT coach_states_coachstate_id_user_id_key UNIQUE (id, user_id),
    CONSTRAINT coach_states_coachstate_current_identity_id_user_id_fkey FOREIGN KEY(current_identity_id, user_id) REFERENCES identities_identity (id, user_id) ON DELETE SET NULL (current_identity_id),
    CONSTRAINT coach_states_coachstate_proposed_identity_id_user_id_fkey FOREIGN KEY(proposed_identity_id, user_id) REFERENCES identities_identity (id, user_id) ON DELETE SET NULL (proposed_identity_id),
    CONSTRAINT coach_states_coachstate_current_phase_check CHECK (current_phase IN ('GET_TO_KNOW_YOU', 'IDENTITY_CREATION', 'IDENTITY_REFINEMENT', 'INTEGRATION', 'COMPLETED')),
    CONSTRAINT coach_states_coachstate_identity_focus_check CHECK (identity_focus IN ('PASSIONS_AND_TALENTS', 'MAKER_OF_MONEY', 'KEEPER_OF_MONEY', 'SPIRITUAL', 'PERSONAL_APPEARANCE', 'PHYSICAL_EXPRESSION', 'FAMILIAL_RELATIONS', 'ROMANTIC_RELATION', 'DOER_OF_THINGS')),
    CONSTRAINT coach_states_coachstate_skipped_identity_categories_check CHECK (skipped_identity_categories <@ ARRAY['PASSIONS_AND_TALENTS', 'MAKER_OF_MONEY', 'KEEPER_OF_MONEY', 'SPIRITUAL', 'PERSONAL_APPEARANCE', 'PHYSICAL_EXPRESSION', 'FAMILIAL_RELATIONS', 'ROMANTIC_RELATION', 'DOER_OF_THINGS']::varchar[]),
    CONSTRAINT coach_states_coachstate_asked_questions_check CHECK (asked_questions <@ ARRAY['BACKGROUND_UPBRINGING', 'FAMILY_STRUCTURE', 'WORK_LIVING', 'HOBBIES_INTERESTS', 'WHY_HERE_HOPES']::varchar[]),
    CONSTRAINT coach_states_coachstate_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT coach_states_coachstate_user_id_fkey FOREIGN KEY(user_id) REFERENCES users_user (id) ON DELETE CASCADE,
    CONSTRAINT coach_states_coachstate_test_scenario_id_fkey FOREIGN KEY(test_scenario_id) REFERENCES test_scenario_testscenario (id) ON DELETE CASCADE
);

CREATE INDEX coach_states_coachstate_current_identity_id_idx ON coach_states_coachstate (current_identity_id);

CREATE INDEX coach_states_coachstate_proposed_identity_id_idx ON coach_states_coachstate (proposed_identity_id);

CREATE INDEX coach_states_coachstate_test_scenario_id_idx ON coach_states_coachstate (test_scenario_id);

CREATE INDEX coach_states_coachstate_updated_at_idx ON coach_states_coachstate (updated_at);

CREATE INDEX coach_states_coachstate_user_id_idx ON coach_states_coachstate (user_id);

CREATE TRIGGER "identities_identity_touch" BEFORE UPDATE ON "identities_identity" FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION dev_coach_touch_updated_at('created_at');

CREATE TRIGGER "coach_states_coachstate_touch" BEFORE UPDATE ON "coach_states_coachstate" FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION dev_coach_touch_updated_at();
