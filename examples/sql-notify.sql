-- For the source "sql" with listen = "popbsmtp": PostgreSQL tells of each row
-- as soon as it is committed.
CREATE OR REPLACE FUNCTION popbsmtp_told() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NOTIFY popbsmtp; RETURN NULL; END $$;

CREATE TRIGGER popbsmtp_told AFTER INSERT OR UPDATE ON popbsmtp
  FOR EACH STATEMENT EXECUTE FUNCTION popbsmtp_told();
