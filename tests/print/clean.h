/* SPDX-License-Identifier: ISC */
/* clean - how each server writes what a stranger typed. */
#ifndef TESTS_PRINT_CLEAN_H
#define TESTS_PRINT_CLEAN_H
#include "print.h"

void clean_c(struct text *t, enum typed f); /* %s: up to the first NUL */
void clean_dovecot(struct text *t, enum typed f);
void clean_courier(struct text *t, enum typed f);
void clean_cyrus(struct text *t, enum typed f);
void clean_uw(struct text *t, enum typed f);
void clean_qpopper(struct text *t, enum typed f);
void clean_solid(struct text *t, enum typed f);
void clean_word(struct text *t, enum typed f); /* a name ends at a blank */
void clean_cucipop(struct text *t, enum typed f);
void clean_teapop(struct text *t, enum typed f);
void clean_vpopmail(struct text *t, enum typed f);
void clean_raw(struct text *t, enum typed f);
void clean_zimbra(struct text *t, enum typed f);
void clean_stalwart(struct text *t, enum typed f);
void clean_apple(struct text *t, enum typed f);
void clean_exchange(struct text *t, enum typed f);
#endif
