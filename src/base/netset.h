/* SPDX-License-Identifier: ISC */
/*
 * netset - a set of networks, each with a small number; the longest prefix
 * that holds an address wins. Built once, then only read.
 */
#ifndef BASE_NETSET_H
#define BASE_NETSET_H
#include "addr.h"

struct netset;

struct netset *netset_new(void);
void netset_free(struct netset **set);
/* Adds or replaces. value >= 0. */
void netset_add(struct netset *set, const struct net *net, int value);
/* The value of the longest prefix that holds a, or -1. NULL set: -1. */
int netset_find(const struct netset *set, const struct addr *a);
/* The same; *net_r (NULL: not wanted) is that network when there is one. */
int netset_match(
    const struct netset *set, const struct addr *a, struct net *net_r);
size_t netset_count(const struct netset *set);
#endif
