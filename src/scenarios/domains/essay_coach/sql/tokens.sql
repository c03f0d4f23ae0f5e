-- Logins and refresh tokens. Both happen before a tenant is known, so these functions belong to ec_auth,
-- which row-level security does not confine, and the application may call them and nothing behind them.
CREATE FUNCTION find_login(login text)
RETURNS TABLE (user_id bigint, institution_id bigint, role text, password text, is_active boolean)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT u.id, u.institution_id, u.role::text, u.password::text, u.is_active
    FROM users AS u
    WHERE lower(u.email) = lower(login)
$$;
COMMENT ON FUNCTION find_login(text) IS 'The account with an e-mail address, whatever its case, to check a password.';

CREATE FUNCTION issue_refresh_token(
    for_user bigint, hash bytea, token_jti uuid, lifetime interval DEFAULT '7 days',
    agent text DEFAULT '', address inet DEFAULT NULL, at timestamptz DEFAULT clock_timestamp()
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    made uuid;
BEGIN
    IF NOT EXISTS (SELECT FROM users WHERE id = for_user AND is_active) THEN
        RAISE EXCEPTION 'user % is unknown or not active', for_user USING ERRCODE = 'invalid_authorization_specification';
    END IF;
    INSERT INTO refresh_tokens (user_id, family_id, jti, token_hash, issued_at, expires_at, user_agent, ip)
    VALUES (for_user, gen_random_uuid(), token_jti, hash, at, at + lifetime, agent, address)
    RETURNING id INTO made;
    RETURN made;
END
$$;
COMMENT ON FUNCTION issue_refresh_token(bigint, bytea, uuid, interval, text, inet, timestamptz) IS
    'Begins a login session (a family of tokens) with its first refresh token.';

-- The outcome is a value, not an error: an error would roll back the revocation it is about.
CREATE FUNCTION rotate_refresh_token(
    hash bytea, new_hash bytea, new_jti uuid, lifetime interval DEFAULT '7 days',
    at timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (outcome text, token_id uuid, user_id bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    shown refresh_tokens%ROWTYPE;
    made  uuid;
BEGIN
    -- Whoever shows the same token at the same time waits, and then finds it rotated: a reuse.
    SELECT * INTO shown FROM refresh_tokens AS t WHERE t.token_hash = hash FOR UPDATE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'unknown', NULL::uuid, NULL::bigint;
        RETURN;
    END IF;
    IF shown.revoke_reason IN ('rotated', 'reuse_detected') THEN
        -- Somebody has a copy. Nobody can tell who is the thief, so the whole session ends.
        UPDATE refresh_tokens AS t
        SET revoked_at = coalesce(t.revoked_at, at), revoke_reason = 'reuse_detected'
        WHERE t.family_id = shown.family_id AND (t.revoked_at IS NULL OR t.id = shown.id);
        INSERT INTO logs (level, source, event, message, context, user_id, created_at)
        VALUES ('WARNING', 'auth', 'refresh_token_reuse', 'A refresh token was shown a second time; the session was ended.',
                jsonb_build_object('family_id', shown.family_id, 'jti', shown.jti), shown.user_id, at);
        RETURN QUERY SELECT 'reuse_detected', shown.id, shown.user_id;
        RETURN;
    END IF;
    IF shown.revoked_at IS NOT NULL THEN
        RETURN QUERY SELECT 'revoked', shown.id, shown.user_id;
        RETURN;
    END IF;
    IF shown.expires_at <= at THEN
        UPDATE refresh_tokens AS t SET revoked_at = at, revoke_reason = 'expired' WHERE t.id = shown.id;
        RETURN QUERY SELECT 'expired', shown.id, shown.user_id;
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM users AS u WHERE u.id = shown.user_id AND u.is_active) THEN
        UPDATE refresh_tokens AS t
        SET revoked_at = at, revoke_reason = 'admin'
        WHERE t.user_id = shown.user_id AND t.revoked_at IS NULL;
        RETURN QUERY SELECT 'inactive', shown.id, shown.user_id;
        RETURN;
    END IF;
    -- In this order: a family has one live token at any moment, and a unique index holds us to it.
    UPDATE refresh_tokens AS t SET revoked_at = at, revoke_reason = 'rotated' WHERE t.id = shown.id;
    INSERT INTO refresh_tokens (user_id, family_id, jti, token_hash, issued_at, expires_at, user_agent, ip)
    VALUES (shown.user_id, shown.family_id, new_jti, new_hash, at, at + lifetime, shown.user_agent, shown.ip)
    RETURNING id INTO made;
    UPDATE refresh_tokens AS t SET replaced_by = made WHERE t.id = shown.id;
    RETURN QUERY SELECT 'rotated', made, shown.user_id;
END
$$;
COMMENT ON FUNCTION rotate_refresh_token(bytea, bytea, uuid, interval, timestamptz) IS
    'Exchanges a refresh token for the next; outcome is rotated, unknown, revoked, expired, inactive or reuse_detected.';

CREATE FUNCTION revoke_refresh_tokens(of_user bigint, reason text DEFAULT 'logout', at timestamptz DEFAULT clock_timestamp())
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    revoked integer;
BEGIN
    UPDATE refresh_tokens SET revoked_at = at, revoke_reason = reason WHERE user_id = of_user AND revoked_at IS NULL;
    GET DIAGNOSTICS revoked = ROW_COUNT;
    RETURN revoked;
END
$$;
COMMENT ON FUNCTION revoke_refresh_tokens(bigint, text, timestamptz) IS
    'Ends all login sessions of a user (logout, suspension); returns how many tokens were live.';

CREATE FUNCTION prune_refresh_tokens(expired_for interval DEFAULT '30 days', at timestamptz DEFAULT clock_timestamp())
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    pruned integer;
BEGIN
    DELETE FROM refresh_tokens WHERE expires_at < at - expired_for;
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END
$$;
COMMENT ON FUNCTION prune_refresh_tokens(interval, timestamptz) IS
    'Deletes the tokens that expired longer ago than the interval; returns how many.';
