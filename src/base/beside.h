/* SPDX-License-Identifier: ISC */
/*
 * beside - programs of ours that were installed, or built, together.
 */
#ifndef BASE_BESIDE_H
#define BASE_BESIDE_H
#include <stddef.h>

enum { BESIDE_MAX = 4096 }; /* room for any such path */

/* The path of the program of that name in the directory of this one. -1: it
 * does not fit, or /proc is not there. */
int beside_path(const char *name, char *out, size_t size);
#endif
