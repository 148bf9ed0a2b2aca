/* process.h - private to src/store/postgres: which process on which machine, as others on the same
 * machine can tell whether it still runs. Reads /proc (proc(5)). */
#ifndef RP_STORE_POSTGRES_PROCESS_H
#define RP_STORE_POSTGRES_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* The boot and the PID namespace: numbers of processes mean something only within both. */
#define RP_PG_MACHINE_MAX 128
/* "" where /proc cannot be read: then no process of any machine is known to be gone. */
const char *rp_pg_machine(char out[RP_PG_MACHINE_MAX]);
/* When it was started, in ticks since the boot; 0: there is no such process. */
int64_t rp_pg_process_started(uint32_t pid);

#endif
