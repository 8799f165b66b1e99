#!/bin/sh
# The wrapper "Example for postgresql, postfix" of Dovecot's wiki
# (POP-before-SMTP), after the script that Lorens Kockum released into the Public
# Domain there; its commands are unchanged (psql finds its server by PGHOST and
# PGPORT).
(
if [ -n "$IP" ]
then
/usr/bin/psql -U popbsmtp -d popbsmtp -c "begin;update auth set accessed=now() where host=substring('$IP' from 8);commit;insert into auth(host, accessed) values(substring('$IP' from 8),now());"
fi
) >> /var/log/dovecot3 2>&1
exec "$@"
