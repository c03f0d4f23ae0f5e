-- What the tables need beyond what SQLAlchemy's metadata can say: updated_at moves with every UPDATE, the
-- ORM's and plain SQL's alike.

-- @function touch_updated_at()
CREATE FUNCTION touch_updated_at() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    -- An UPDATE that sets the column itself (a fixture, a migration, a restore) keeps its value.
    IF NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END
$$;

-- @trigger users_touch_updated_at on users
CREATE TRIGGER users_touch_updated_at BEFORE UPDATE ON users
FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- @trigger chats_touch_updated_at on chats
CREATE TRIGGER chats_touch_updated_at BEFORE UPDATE ON chats
FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- @trigger messages_touch_updated_at on messages
CREATE TRIGGER messages_touch_updated_at BEFORE UPDATE ON messages
FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- @trigger logs_touch_updated_at on logs
CREATE TRIGGER logs_touch_updated_at BEFORE UPDATE ON logs
FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
