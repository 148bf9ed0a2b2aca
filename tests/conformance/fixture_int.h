/* fixture_int.h - between fixture.c and peers.c. */
#ifndef CONFORMANCE_FIXTURE_INT_H
#define CONFORMANCE_FIXTURE_INT_H

#include "store/outbox.h"

/* Before anything is open in this process. */
void fx_peers_start(void);
/* Also when none was started. */
void fx_peers_stop(void);

#endif
