-- sudo mariadb <sql-mariadb.sql; then write the first password, and nothing
-- else, into /etc/relaypass/mysql.password (mode 0600).
CREATE DATABASE virtual_mail;
CREATE TABLE virtual_mail.popbsmtp (
    address varchar(39) PRIMARY KEY,
    last_seen datetime NOT NULL
) ENGINE=InnoDB;
CREATE USER 'popbsmtp'@'localhost' IDENTIFIED BY 'write-secret';
CREATE USER 'postfix'@'localhost' IDENTIFIED BY 'read-secret';
GRANT SELECT, INSERT, UPDATE, DELETE ON virtual_mail.popbsmtp
    TO 'popbsmtp'@'localhost';
GRANT SELECT ON virtual_mail.popbsmtp TO 'postfix'@'localhost';
