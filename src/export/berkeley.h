/* SPDX-License-Identifier: ISC */
/*
 * berkeley - the functions and option rows of the two kinds that keep a
 * Berkeley DB file.
 */
#ifndef EXPORT_BERKELEY_H
#define EXPORT_BERKELEY_H
#include "export.h"
#include "in_place.h"

extern const struct option berkeley_options[];

int berkeley_check(const struct conf_section *conf, struct err *err);
struct export *berkeley_open_hash(const struct export_env *env,
    const struct conf_section *conf, struct err *err);
struct export *berkeley_open_btree(const struct export_env *env,
    const struct conf_section *conf, struct err *err);
void berkeley_start(struct export *e, uv_loop_t *loop);
void berkeley_apply(struct export *e, const struct export_slice *slice);
void berkeley_close(struct export **ep);
#endif
