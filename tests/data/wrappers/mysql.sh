#!/bin/sh
# The wrapper of the recipe for qpsmtpd's db/relay with MySQL, as its users have
# it; its commands are unchanged (`mysql` finds its server in /root/.my.cnf).
#
# Released into the Public Domain by Lorens Kockum, 2005, in Dovecot's wiki
# (there with the database "mail" and the network 192.168); "$@" by Matthias
# Andree, 2006; in this form by Ernesto, 2007, of qpsmtpd's db plugins, "as per
# the qpsmtpd license".
#
# shellcheck disable=SC2006,SC2086
(
# drop out IPs from local networks that can relay anyway
IP=`echo $IP | grep -v '^127\.0\.0\.'`
if [ -n "$IP" ]
then
export HOME=/root/
echo "REPLACE INTO popbsmtp VALUES('$IP',NOW());" | mysql maildb
export HOME=/
fi
) >> /var/log/popbsmtp.error.log 2>&1
exec "$@"
