CREATE TRIGGER {table}_touch_updated_at
BEFORE UPDATE ON {table}
FOR EACH ROW EXECUTE FUNCTION touch_updated_at()
