/* SPDX-License-Identifier: ISC */
/*
 * cdb - one question to a constant data base (cr.yp.to/cdb/cdb.txt).
 */
#ifndef SMTP_CDB_H
#define SMTP_CDB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether key is in a cdb of size bytes. Pure: whatever the bytes are, it ends
 * and reads none outside. */
bool spp_cdb_has(
    const uint8_t *cdb, size_t size, const char *key, size_t key_len);
#endif
