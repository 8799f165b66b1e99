/* SPDX-License-Identifier: ISC */
/*
 * become - verbs that become another program of ours.
 */
#ifndef CMD_BECOME_H
#define CMD_BECOME_H
/* Becomes the program of that name beside this one (base/beside.h), else the
 * one in PATH. Returns EXIT_AGAIN, and says why on stderr, when there is none.
 * argv[0] is replaced. */
int become(const char *program, char **argv);
#endif
