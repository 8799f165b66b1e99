/* SPDX-License-Identifier: ISC */
/*
 * dns_library - ldns, and <stdbool.h> before it: where nobody was there first,
 * its header makes bool a signed char, which is another type in the functions
 * that others call, and 0 for a bit above the seventh.
 */
#ifndef LISTENER_DNS_LIBRARY_H
#define LISTENER_DNS_LIBRARY_H
#include <stdbool.h>

#include <ldns/ldns.h>
#endif
