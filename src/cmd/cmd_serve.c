/* cmd_serve.c - the verb `serve`: options, listeners, and a supervisor with the workers behind them.
 * The listeners are opened here, before any worker: so workers come and go, and nobody is refused. */

#include "cmd/cmd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cli.h"
#include "cmd/supervisor.h"
#include "serve/door.h"
#include "serve/notify.h"

#define SOCKET_MODE 0660

enum worker { WORKER_DOOR = 1, WORKER_WATCH };

struct serve_setup {
	struct rp_settings settings;  /* of the start */
	struct rp_settings *reloaded; /* since a SIGHUP, for workers that start later; NULL: none */
	const char *outbox;           /* of the command line; NULL: the file's */
	struct rp_http_listener door[RP_LISTEN_MAX], ui[RP_LISTEN_MAX];
	size_t n_door, n_ui;
};

static int report(const char *what, enum rp_err code, const struct rp_error *err)
{
	char text[RP_ERROR_TEXT_MAX + 16];

	rp_log(RP_LOG_ERROR, what, "code=%s text=%s", rp_err_name(code),
	       rp_log_quote(err->text, text, sizeof text));
	return rp_err_exit_code(code);
}
