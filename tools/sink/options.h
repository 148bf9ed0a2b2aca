/* options.h - the receiver's command line as a struct. */
#ifndef RP_SINK_OPTIONS_H
#define RP_SINK_OPTIONS_H

#include <stdint.h>

#include "base/err.h"
#include "plan.h"

struct rp_sink_options {
	bool help, version, quiet;
	uint16_t port;
	const char *bind, *record, *record_dir, *secret_file, *token_file;
	/* of --token: a copy, the argument itself is overwritten so that ps does not show it */
	char *token;
	uint64_t exit_after, max_body;
	struct rp_sink_plan plan;
};

/* RP_ERR_INVAL: err says which argument is wrong and what would be right. Release in any case. */
enum rp_err rp_sink_options_parse(struct rp_sink_options *o, int argc, char **argv,
				  struct rp_error *err);
void rp_sink_options_release(struct rp_sink_options *o);

/* Appends the text of --help. false: out of memory. */
bool rp_sink_options_help(struct rp_buf *out);

#endif
