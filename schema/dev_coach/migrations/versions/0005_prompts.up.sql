CREATE TABLE prompts_prompt (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    coaching_phase VARCHAR(32),
    version INTEGER DEFAULT 1 NOT NULL,
    name VARCHAR(255),
    description TEXT,
    body TEXT NOT NULL,
    required_context_keys VARCHAR(64)[] DEFAULT '{}' NOT NULL,
    allowed_actions VARCHAR(64)[] DEFAULT '{}' NOT NULL,
    prompt_type VARCHAR(32) DEFAULT 'COACH' NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT prompts_prompt_pkey PRIMARY KEY (id),
    CONSTRAINT prompts_prompt_coaching_phase_version_key UNIQUE NULLS NOT DISTINCT (coaching_phase, version),
    CONSTRAINT prompts_prompt_version_check CHECK (version > 0),
    CONSTRAINT prompts_prompt_coaching_phase_check CHECK (coaching_phase IN ('GET_TO_KNOW_YOU', 'IDENTITY_CREATION', 'IDENTITY_REFINEMENT', 'INTEGRATION', 'COMPLETED')),
    CONSTRAINT prompts_prompt_prompt_type_check CHECK (prompt_type IN ('COACH', 'SENTINEL', 'SYSTEM')),
    CONSTRAINT prompts_prompt_required_context_keys_check CHECK (required_context_keys <@ ARRAY['USER_NAME', 'IDENTITIES', 'NUMBER_OF_IDENTITIES', 'IDENTITY_FOCUS', 'WHO_YOU_ARE', 'WHO_YOU_WANT_TO_BE', 'FOCUSED_IDENTITIES', 'USER_NOTES', 'CURRENT_MESSAGE', 'PREVIOUS_MESSAGE', 'CURRENT_PHASE', 'BRAINSTORMING_CATEGORY_CONTEXT', 'CURRENT_IDENTITY', 'ASKED_QUESTIONS', 'REFINEMENT_IDENTITIES', 'AFFIRMATION_IDENTITIES', 'VISUALIZATION_IDENTITIES']::varchar[]),
    CONSTRAINT prompts_prompt_allowed_actions_check CHECK (allowed_actions <@ ARRAY['CREATE_IDENTITY', 'UPDATE_IDENTITY', 'UPDATE_IDENTITY_NAME', 'UPDATE_IDENTITY_AFFIRMATION', 'UPDATE_IDENTITY_VISUALIZATION', 'ACCEPT_IDENTITY', 'ACCEPT_IDENTITY_REFINEMENT', 'ACCEPT_IDENTITY_AFFIRMATION', 'ACCEPT_IDENTITY_VISUALIZATION', 'ADD_IDENTITY_NOTE', 'TRANSITION_PHASE', 'SELECT_IDENTITY_FOCUS', 'SKIP_IDENTITY_CATEGORY', 'UNSKIP_IDENTITY_CATEGORY', 'UPDATE_WHO_YOU_ARE', 'UPDATE_WHO_YOU_WANT_TO_BE', 'UPDATE_ASKED_QUESTIONS', 'SET_CURRENT_IDENTITY', 'ADD_USER_NOTE', 'UPDATE_USER_NOTE', 'DELETE_USER_NOTE']::varchar[]),
    CONSTRAINT prompts_prompt_created_at_updated_at_check CHECK (created_at <= updated_at)
);

CREATE INDEX prompts_prompt_active_idx ON prompts_prompt (coaching_phase, version) WHERE is_active = true;

CREATE TRIGGER "prompts_prompt_touch" BEFORE UPDATE ON "prompts_prompt" FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION dev_coach_touch_updated_at('created_at');
