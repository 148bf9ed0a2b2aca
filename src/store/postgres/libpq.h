/* libpq.h - private to connection.c, dial.c and rows.c: the functions of libpq, loaded when they
 * are first needed. `runpost` and the library work with LMDB on machines that have no libpq, and
 * with LMDB start without it and the dozen libraries that it brings. */
#ifndef RP_STORE_POSTGRES_LIBPQ_H
#define RP_STORE_POSTGRES_LIBPQ_H

#include <libpq-fe.h>

#include "base/err.h"

#define RP_LIBPQ_FUNCTIONS(X)                                                                      \
	X(PQclear)                                                                                 \
	X(PQcmdTuples)                                                                             \
	X(PQbackendPID)                                                                            \
	X(PQcmdStatus)                                                                             \
	X(PQconnectPoll)                                                                           \
	X(PQconnectStartParams)                                                                    \
	X(PQconsumeInput)                                                                          \
	X(PQenterPipelineMode)                                                                     \
	X(PQexec)                                                                                  \
	X(PQexitPipelineMode)                                                                      \
	X(PQerrorMessage)                                                                          \
	X(PQfinish)                                                                                \
	X(PQflush)                                                                                 \
	X(PQfreemem)                                                                               \
	X(PQgetisnull)                                                                             \
	X(PQgetlength)                                                                             \
	X(PQgetResult)                                                                             \
	X(PQgetvalue)                                                                              \
	X(PQisBusy)                                                                                \
	X(PQnotifies)                                                                              \
	X(PQntuples)                                                                               \
	X(PQparameterStatus)                                                                       \
	X(PQpipelineSync)                                                                          \
	X(PQresultErrorField)                                                                      \
	X(PQresultStatus)                                                                          \
	X(PQsendPrepare)                                                                           \
	X(PQsendQueryParams)                                                                       \
	X(PQsendQueryPrepared)                                                                     \
	X(PQserverVersion)                                                                         \
	X(PQsetErrorVerbosity)                                                                     \
	X(PQsetNoticeReceiver)                                                                     \
	X(PQsetnonblocking)                                                                        \
	X(PQsocket)                                                                                \
	X(PQstatus)

struct rp_libpq {
#define X(function) __typeof__(function) *function;
	RP_LIBPQ_FUNCTIONS(X)
#undef X
};

/* The same for all connections of the process, once loaded; for one thread at a time.
 * RP_ERR_INVAL: libpq is not installed, or is older than 14. */
enum rp_err rp_libpq_load(const struct rp_libpq **out, struct rp_error *err);
/* Of what was loaded. */
const struct rp_libpq *rp_libpq_loaded(void);

#endif
