/* tables.c - says what the tables are called. LMDB keeps the names, so they never change. */

#include "store/lmdb/db/tables.h"

const char *const rp_table_names[RP_T_COUNT] = {
    [RP_T_META] = "meta",
    [RP_T_ENTRY] = "entry",
    [RP_T_BODY] = "body",
    [RP_T_DELIVERY] = "delivery",
    [RP_T_QUEUE] = "queue",
    [RP_T_ORDER] = "order",
    [RP_T_READY] = "agenda",
    [RP_T_CLAIM] = "claim",
    [RP_T_ATTEMPT] = "attempt",
    [RP_T_DEAD] = "dead",
    [RP_T_DONE] = "done",
    [RP_T_HELD] = "held",
    [RP_T_RUN] = "run",
    [RP_T_ENDPOINT] = "endpoint",
    [RP_T_ENDPOINT_NAME] = "endpoint_name",
    [RP_T_ENDPOINT_ID] = "endpoint_id",
    [RP_T_SEEN] = "seen",
    [RP_T_ALIAS] = "alias",
    [RP_T_SENDER] = "sender",
    [RP_T_JOB] = "job",
    [RP_T_JOB_ENTRY] = "job_entry",
    [RP_T_AUDIT] = "audit",
    [RP_T_RECENT] = "recent",
};
