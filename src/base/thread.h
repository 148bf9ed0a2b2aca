/* thread.h - starts a thread that leaves signals to the thread that waits for them. */
#ifndef RP_BASE_THREAD_H
#define RP_BASE_THREAD_H

#include <pthread.h>

/* As pthread_create. The new thread, and those it starts, take no signals but the ones that their
 * own faults raise: these cannot be left to another, and blocked they would end the process before
 * a handler has its say. */
int rp_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

#endif
