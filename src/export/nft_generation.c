/* SPDX-License-Identifier: ISC */
/*
 * nft_generation - asks NFT_MSG_GETGEN of the kernel (linux/netfilter/
 * nf_tables.h). The answer is there when send() returns.
 */
#include "nft_generation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

enum { ANSWER_MAX = 1024, STALE_MAX = 16 };

int nft_generation_open(struct err *err)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	return fd < 0 ? err_errno(err, EXIT_AGAIN, errno, "netlink socket")
		      : fd;
}

/* The attribute NFTA_GEN_ID of one message of len bytes. */
static bool find_id(const uint8_t *message, size_t len, uint32_t *out)
{
	size_t at = NLMSG_SPACE(sizeof(struct nfgenmsg));
	struct nlattr attr;
	uint32_t id;

	while (at + sizeof(attr) <= len) {
		memcpy(&attr, message + at, sizeof(attr));
		if (attr.nla_len < sizeof(attr) || attr.nla_len > len - at)
			return false;
		if ((attr.nla_type & NLA_TYPE_MASK) == NFTA_GEN_ID &&
		    attr.nla_len == NLA_HDRLEN + sizeof(id)) {
			memcpy(&id, message + at + NLA_HDRLEN, sizeof(id));
			*out = ntohl(id);
			return true;
		}
		at += NLA_ALIGN(attr.nla_len);
	}
	return false;
}

bool nft_generation_get(int fd, uint32_t *out)
{
	static uint32_t sequence;
	struct {
		struct nlmsghdr head;
		struct nfgenmsg body;
	} question = {
		.head = { .nlmsg_len = sizeof(question),
		    .nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN,
		    .nlmsg_flags = NLM_F_REQUEST,
		    .nlmsg_seq = ++sequence },
		.body = { .version = NFNETLINK_V0 },
	};
	uint8_t answer[ANSWER_MAX];
	struct nlmsghdr head;

	if (send(fd, &question, sizeof(question), 0) != sizeof(question))
		return false;
	/* Behind answers that an earlier call did not wait for. */
	for (unsigned i = 0; i < STALE_MAX; i++) {
		ssize_t n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);

		if (n < (ssize_t)sizeof(head))
			return false;
		memcpy(&head, answer, sizeof(head));
		if (head.nlmsg_seq == sequence)
			return (head.nlmsg_type & 0xff) == NFT_MSG_NEWGEN &&
			       find_id(answer, (size_t)n, out);
	}
	return false;
}
