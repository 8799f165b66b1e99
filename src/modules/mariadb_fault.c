/* SPDX-License-Identifier: ISC */
/*
 * mariadb_fault - see the header.
 */
#include "mariadb_fault.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	LIBRARY_FIRST = 2000, /* what the library itself found */
	LIBRARY_LAST = 2999,
	MORE_FIRST = 5000, /* the same */
	MORE_LAST = 5099,
	TLS_FAILED = 2026,
	NO_DATABASE_RIGHT = 1044, /* also: none for this statement */
	ENGINE_FAILED = 1030      /* "Got error 28 ... from storage engine" */
};

static const struct {
	unsigned number;
	enum sql_fault fault;
} faults[] = {
	{ 1040, SQL_FAULT_GONE },  /* too many connections */
	{ 1053, SQL_FAULT_GONE },  /* shutdown */
	{ 1077, SQL_FAULT_GONE },  /* the same */
	{ 1152, SQL_FAULT_GONE },  /* aborted connection */
	{ 1184, SQL_FAULT_GONE },  /* the same */
	{ 1203, SQL_FAULT_GONE },  /* too many of this user's */
	{ 1226, SQL_FAULT_GONE },  /* the same, of a resource */
	{ 1927, SQL_FAULT_GONE },  /* connection was killed */
	{ 4031, SQL_FAULT_GONE },  /* idle too long */
	{ 1044, SQL_FAULT_LOGIN }, /* no right to the database */
	{ 1045, SQL_FAULT_LOGIN }, /* user or password */
	{ 1049, SQL_FAULT_LOGIN }, /* no such database */
	{ 1129, SQL_FAULT_LOGIN }, /* host is blocked */
	{ 1130, SQL_FAULT_LOGIN }, /* host may not connect */
	{ 1251, SQL_FAULT_LOGIN }, /* authentication protocol */
	{ 1524, SQL_FAULT_LOGIN }, /* plugin is not loaded */
	{ 1698, SQL_FAULT_LOGIN }, /* access denied, no password is used */
	{ 1820, SQL_FAULT_LOGIN }, /* password must be changed */
	{ 1862, SQL_FAULT_LOGIN }, /* password is expired */
	{ 3118, SQL_FAULT_LOGIN }, /* account is locked (MySQL) */
	{ 3159, SQL_FAULT_LOGIN }, /* only with TLS (MySQL) */
	{ 4151, SQL_FAULT_LOGIN }, /* account is locked */
	{ 2049, SQL_FAULT_LOGIN }, /* old authentication */
	{ 2059, SQL_FAULT_LOGIN }, /* no such plugin */
	{ 2061, SQL_FAULT_LOGIN }, /* a plugin's own */
	{ 5010, SQL_FAULT_LOGIN }, /* a plugin that is not allowed */
	{ 5012, SQL_FAULT_LOGIN }, /* a plugin that cannot be loaded */
	{ 1051, SQL_FAULT_NO_TABLE }, { 1146, SQL_FAULT_NO_TABLE },
	{ 1932, SQL_FAULT_NO_TABLE }, /* not in the engine */
	{ 1054, SQL_FAULT_NO_COLUMN },
	{ 1072, SQL_FAULT_NO_COLUMN }, /* of a key */
	{ 1142, SQL_FAULT_DENIED },    /* on a table */
	{ 1143, SQL_FAULT_DENIED },    /* on a column */
	{ 1227, SQL_FAULT_DENIED },
	{ 1370, SQL_FAULT_DENIED }, /* on a routine */
	{ 1022, SQL_FAULT_DUPLICATE }, { 1062, SQL_FAULT_DUPLICATE },
	{ 1586, SQL_FAULT_DUPLICATE },
	{ 3, SQL_FAULT_FULL },    /* error writing a file */
	{ 20, SQL_FAULT_FULL },   /* waiting for room */
	{ 1021, SQL_FAULT_FULL }, /* disk */
	{ 1041, SQL_FAULT_FULL }, /* memory */
	{ 1114, SQL_FAULT_FULL }, /* table */
	{ 1020, SQL_FAULT_BUSY }, /* record has changed */
	{ 1205, SQL_FAULT_BUSY }, /* waited for a lock */
	{ 1213, SQL_FAULT_BUSY }, /* deadlock */
	{ 1243, SQL_FAULT_BUSY }, /* prepared statement is unknown */
	{ 1290, SQL_FAULT_BUSY }, /* read-only: a replica, not yet primary */
	{ 1317, SQL_FAULT_BUSY }, /* interrupted */
	{ 1412, SQL_FAULT_BUSY }, /* table has changed */
	{ 1461, SQL_FAULT_BUSY }, /* too many prepared statements */
	{ 1615, SQL_FAULT_BUSY }, /* to be prepared again */
	{ 1792, SQL_FAULT_BUSY }, /* read-only transaction */
	{ 1836, SQL_FAULT_BUSY }, /* read-only mode */
	{ 1969, SQL_FAULT_BUSY }, /* max_statement_time */
	{ 3024, SQL_FAULT_BUSY }, /* the same (MySQL) */
};

/* ENOSPC, EDQUOT, and a table's limits. */
static bool engine_is_full(const char *text)
{
	static const unsigned long full[] = { 28, 122, 135, 136 };
	static const char before[] = "Got error ";
	unsigned long number;

	if (strncmp(text, before, strlen(before)) != 0)
		return false;
	number = strtoul(text + strlen(before), NULL, 10);
	for (size_t i = 0; i < COUNT_OF(full); i++) {
		if (number == full[i])
			return true;
	}
	return false;
}

enum sql_fault mdb_fault(unsigned number, const char *text, bool connecting)
{
	if (number == NO_DATABASE_RIGHT && !connecting)
		return SQL_FAULT_DENIED;
	if (number == ENGINE_FAILED && engine_is_full(text))
		return SQL_FAULT_FULL;
	/* Not a network's fault: it stays wrong. */
	if (number == TLS_FAILED &&
	    (strstr(text, "ertificate") || strstr(text, "erification") ||
		strstr(text, "not support")))
		return SQL_FAULT_OTHER;
	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		if (faults[i].number == number)
			return faults[i].fault;
	}
	if (number == 0 ||
	    (number >= LIBRARY_FIRST && number <= LIBRARY_LAST) ||
	    (number >= MORE_FIRST && number <= MORE_LAST))
		return SQL_FAULT_GONE;
	return SQL_FAULT_OTHER;
}
