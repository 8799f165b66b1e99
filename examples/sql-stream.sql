-- sudo -u postgres psql <sql-stream.sql: account, database and table by which
-- nodes tell each other (docs/replication.md). Put the password of
-- /etc/relaypass/database.password for SECRET.
CREATE ROLE relaypass LOGIN PASSWORD 'SECRET';
CREATE DATABASE relaypass;
\connect relaypass
CREATE TABLE relaypass_stream (
    id bigserial PRIMARY KEY,
    node text NOT NULL,
    record text NOT NULL,
    written timestamptz NOT NULL DEFAULT clock_timestamp());
GRANT SELECT, INSERT, UPDATE, DELETE ON relaypass_stream TO relaypass;
GRANT USAGE ON SEQUENCE relaypass_stream_id_seq TO relaypass;
