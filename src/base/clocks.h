/* clocks.h - the system's clocks as they are. Everybody else asks a struct rp_sys (base/sys.h),
 * whose clocks a test can set; the log cannot, since sys.h needs the log for its last words. */
#ifndef RP_BASE_CLOCKS_H
#define RP_BASE_CLOCKS_H

#include <stdint.h>
#include <time.h>

/* Microseconds. */
int64_t rp_clocks_us(clockid_t id);

#endif
