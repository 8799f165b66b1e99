/* SPDX-License-Identifier: ISC */
/*
 * http_constant - the yardstick of the http source: libmicrohttpd in one
 * thread, answering every POST with the same few bytes.
 *
 *   bench-http-constant PORT
 */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/mem.h"

enum { CONNECTIONS = 1024, MEMORY = 16 * 1024 };

static char answer[] = "{\"status\":0,\"msg\":\"\"}";

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection,
    const char *path, const char *method, const char *version,
    const char *bytes, size_t *len, void **context)
{
	static int seen;
	struct MHD_Response *response;
	enum MHD_Result result;

	(void)cls;
	(void)path;
	(void)method;
	(void)version;
	(void)bytes;
	if (!*context) {
		*context = &seen;
		return MHD_YES;
	}
	if (*len > 0) {
		*len = 0;
		return MHD_YES;
	}
	response = MHD_create_response_from_buffer(
	    strlen(answer), answer, MHD_RESPMEM_PERSISTENT);
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

int main(int argc, char **argv)
{
	struct MHD_Daemon *mhd;
	struct epoll_event event = { .events = EPOLLIN };
	int epoll, outer;

	if (argc != 2)
		return 100;
	mhd = MHD_start_daemon(MHD_USE_EPOLL,
	    (uint16_t)strtoul(argv[1], NULL, 10), NULL, NULL, on_request, NULL,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_END);
	must(mhd != NULL);
	epoll = MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	outer = epoll_create1(EPOLL_CLOEXEC);
	must(outer >= 0 && epoll_ctl(outer, EPOLL_CTL_ADD, epoll, &event) == 0);
	for (;;) {
		MHD_UNSIGNED_LONG_LONG wait;
		int ms =
		    MHD_get_timeout(mhd, &wait) == MHD_YES ? (int)wait : -1;

		(void)epoll_wait(outer, &event, 1, ms);
		must(MHD_run(mhd) == MHD_YES);
	}
}
