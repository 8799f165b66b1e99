-- sudo -u postgres psql <sql-postgresql.sql; then write the first password, and
-- nothing else, into /etc/relaypass/pgsql.password (mode 0600).
CREATE ROLE popbsmtp LOGIN PASSWORD 'write-secret';
CREATE ROLE postfix LOGIN PASSWORD 'read-secret';
CREATE DATABASE popbsmtp;
\connect popbsmtp
CREATE TABLE auth (
    host varchar(39) PRIMARY KEY,
    accessed timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON auth TO popbsmtp;
GRANT SELECT ON auth TO postfix;
