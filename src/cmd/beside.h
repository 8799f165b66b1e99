/* SPDX-License-Identifier: ISC */
/*
 * beside - verbs that become another program of ours.
 */
#ifndef CMD_BESIDE_H
#define CMD_BESIDE_H
/* Becomes the program of that name that was installed, or built, together with
 * this one; else the one in PATH. Returns EXIT_AGAIN, and says why on stderr,
 * when there is none. argv[0] is replaced. */
int beside_exec(const char *program, char **argv);
#endif
