/* outcome.h - what an attempt came back with, as a value: a typed cause, numbers, and a little
 * text.
 *
 * An outcome is not an error: a slow or rude receiver is normal business. The HTTP door fills it,
 * retry decides on it, the attempt log stores it. Cause numbers are stored; they never change and
 * are never reused. */
#ifndef RP_MODEL_OUTCOME_H
#define RP_MODEL_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum rp_cause {
	RP_CAUSE_NONE = 0,
	/* answered with a status that is not 2xx: shown as http_503 */
	RP_CAUSE_HTTP = 1,
	RP_CAUSE_TIMEOUT = 2, /* no complete answer within the total timeout */
	RP_CAUSE_DNS = 3,     /* the name does not resolve (now) */
	/* refused, unreachable, or no connection within the connect timeout */
	RP_CAUSE_CONNECT = 4,
	/* handshake or certificate, for another reason than those named below */
	RP_CAUSE_TLS = 5,
	/* connection lost before an answer: the receiver may have got it */
	RP_CAUSE_RESET = 6,
	/* the answer is not HTTP/1.x, or its headers break every bound */
	RP_CAUSE_PROTOCOL = 7,
	RP_CAUSE_BLOCKED_ADDRESS = 8, /* the guard refused the resolved address */
	RP_CAUSE_BLOCKED_SCHEME = 9,  /* http without allow_http */
	RP_CAUSE_BLOCKED_PORT = 10,
	RP_CAUSE_GONE = 11,    /* 410, or its endpoint answered 410 before */
	RP_CAUSE_EXPIRED = 12, /* expires_at passed, or retry_max_age */
	/* retry budget spent; the last attempt's cause stands beside it */
	RP_CAUSE_EXHAUSTED = 13,
	/* a stored record fails its checksum: set aside, never sent */
	RP_CAUSE_DAMAGED = 14,
	RP_CAUSE_POISON = 15, /* senders kept dying while they held it */
	/* the sender died or stopped during the attempt: outcome unknown */
	RP_CAUSE_SENDER_LOST = 16,
	/* no signing key of the endpoint is valid now: parked, never sent unsigned */
	RP_CAUSE_NO_KEY = 17,
	RP_CAUSE_BAD_URL = 18,  /* the HTTP library cannot use the URL */
	RP_CAUSE_LOCAL = 19,    /* our side: memory, descriptors, the HTTP library */
	RP_CAUSE_OPERATOR = 20, /* an operator decided so */
	/* the receiver's webhook-delivery header asked not to be sent this again */
	RP_CAUSE_REFUSED = 21,
	/* a status of permanent_statuses; it stands beside as the last cause */
	RP_CAUSE_PERMANENT = 22,
	RP_CAUSE_TLS_EXPIRED = 23, /* certificate expired or not yet valid */
	RP_CAUSE_TLS_NAME = 24,    /* certificate of another host */
	RP_CAUSE_TLS_ISSUER = 25,  /* self-signed, or from an issuer that is not trusted */
	RP_CAUSE_TLS_VERSION = 26, /* no TLS version in common */
	RP_CAUSE_TLS_PIN = 27,     /* the public key is none of pin_sha256 */
	/* the receiver wants a client certificate, or refused ours */
	RP_CAUSE_TLS_CLIENT_CERT = 28,
	/* connected, but no end of the handshake within the connect timeout */
	RP_CAUSE_TLS_TIMEOUT = 29,
	RP_CAUSE_MAX_
};

#define RP_CAUSE_TEXT_MAX 24

/* "http_503" for RP_CAUSE_HTTP with a status, else "timeout", "blocked_address", ...; "" for none.
 * Returns out. */
const char *rp_cause_format(enum rp_cause cause, unsigned http_status, char out[RP_CAUSE_TEXT_MAX]);
/* The reverse. "http" alone matches every status: *http_status = 0. false: no such cause. */
bool rp_cause_parse(struct rp_span text, enum rp_cause *cause, unsigned *http_status);

/* Whether what happened falls under what was asked for: equal, or one of the TLS causes where
 * RP_CAUSE_TLS is wanted. */
bool rp_cause_matches(enum rp_cause wanted, enum rp_cause cause);

/* What a response's `webhook-delivery` header asked for; the policy says whether that is heeded.
 * The header and its two values are those of Svix: docs.svix.com/receiving/delivery-control. */
enum rp_wish {
	RP_WISH_NONE = 0,
	RP_WISH_DISABLE, /* "disable": send nothing more to this endpoint */
	RP_WISH_ABORT,   /* "abort-message": do not send this message again */
};

/* What a request lacked, before a byte of it was sent: it counts as no attempt. */
enum rp_lack {
	RP_LACK_NONE = 0,
	RP_LACK_PROCESS, /* descriptors, memory, threads: it concerns every request */
	/* local ports towards one address: it concerns requests to this endpoint */
	RP_LACK_PORTS,
	RP_LACK_LEAVE, /* what allowed it is past: the endpoint was paused, the entry purged */
};

#define RP_PEER_TEXT_MAX 64      /* "[2001:db8::1]:65535" and a zone fit */
#define RP_RESPONSE_HEAD_MAX 256 /* bytes of the response body kept */
#define RP_DETAIL_TEXT_MAX 128

struct rp_outcome {
	enum rp_cause cause;    /* RP_CAUSE_NONE: delivered, i.e. the status line said 2xx */
	unsigned http_status;   /* 0: no status line came */
	int64_t retry_after_ms; /* what the response asked for, clamped to [0, 24 h]; 0: nothing */
	enum rp_wish wish;      /* of the final response */
	enum rp_lack lack;      /* with RP_CAUSE_LOCAL; not stored */
	int64_t duration_us;
	uint32_t dns_us, connect_us, tls_us, first_byte_us; /* since the start; 0: not reached */
	unsigned http_version;                              /* 10, 11, 20; 0: unknown */
	char peer[RP_PEER_TEXT_MAX];     /* address and port, "" before a connect */
	char detail[RP_DETAIL_TEXT_MAX]; /* in words, e.g. the HTTP library's message; "" */
	/* first bytes of the body, as they came */
	unsigned char response[RP_RESPONSE_HEAD_MAX];
	size_t response_bytes; /* valid bytes of response[] */
};

#endif
