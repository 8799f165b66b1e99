/* SPDX-License-Identifier: ISC */
/*
 * redis - see the header.
 */
#include "redis.h"

#include "base/module.h"

const struct redis_api *redis_load(struct err *err)
{
	const struct redis_api *api = module_load("redis", err);

	return api && api->prepare(err) == 0 ? api : NULL;
}
