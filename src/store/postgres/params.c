/* params.c - writes the parameters of a statement into one buffer. */
#include "store/postgres/params.h"

#include "text/scan.h"

#define OID_BOOL 16
#define OID_BYTEA 17
#define OID_INT8 20
#define OID_INT4 23
#define OID_TEXT 25

void rp_pg_params_clear(struct rp_pg_params *p)
{
	rp_buf_clear(&p->bytes);
	p->bytes.max = (size_t)1 << 30; /* a message of the protocol is shorter */
	p->n = 0;
	p->no_memory = false;
}

void rp_pg_params_release(struct rp_pg_params *p)
{
	rp_buf_release(&p->bytes);
}

static void add(struct rp_pg_params *p, const void *bytes, size_t n)
{
	if (!rp_buf_add(&p->bytes, bytes, n))
		p->no_memory = true;
}

static void add_number(struct rp_pg_params *p, uint64_t v, size_t n_bytes)
{
	unsigned char bytes[8];
	size_t i;

	for (i = n_bytes; i > 0; i--, v >>= 8)
		bytes[i - 1] = (unsigned char)v;
	add(p, bytes, n_bytes);
}

/* Sets a length once what it measures is there. */
static void set_number(struct rp_pg_params *p, size_t at, uint64_t v)
{
	int i;

	if (p->no_memory)
		return;
	for (i = 3; i >= 0; i--, v >>= 8)
		p->bytes.data[at + (size_t)i] = (char)(unsigned char)v;
}

static void add_escaped(struct rp_pg_params *p, struct rp_span v)
{
	static const char digits[] = "0123456789abcdef";
	size_t i = 0, from = 0;

	while (i < v.len) {
		size_t good, len = rp_utf8_sequence((struct rp_span){v.ptr + i, v.len - i}, &good);
		unsigned char c = (unsigned char)v.ptr[i];
		char escape[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};

		if (len > 0 && c != '\0' && c != '\\') {
			i += len;
			continue;
		}
		add(p, v.ptr + from, i - from);
		add(p, escape, sizeof escape);
		from = ++i;
	}
	add(p, v.ptr + from, v.len - from);
}

static void begin(struct rp_pg_params *p)
{
	if (p->n == RP_PG_PARAMS_MAX) {
		p->no_memory = true;
		p->n--;
	}
	p->all[p->n].at = p->bytes.len;
}

static void end(struct rp_pg_params *p)
{
	p->all[p->n].len = (int)(p->bytes.len - p->all[p->n].at);
	p->n++;
}

void rp_pg_put_i64(struct rp_pg_params *p, int64_t v)
{
	begin(p);
	add_number(p, (uint64_t)v, 8);
	end(p);
}

void rp_pg_put_i32(struct rp_pg_params *p, int32_t v)
{
	begin(p);
	add_number(p, (uint32_t)v, 4);
	end(p);
}

void rp_pg_put_bool(struct rp_pg_params *p, bool v)
{
	begin(p);
	add_number(p, v, 1);
	end(p);
}

void rp_pg_put_null(struct rp_pg_params *p)
{
	begin(p);
	p->all[p->n++].len = -1;
}

void rp_pg_put_text(struct rp_pg_params *p, struct rp_span v)
{
	begin(p);
	add_escaped(p, v);
	end(p);
}

void rp_pg_put_bytea(struct rp_pg_params *p, struct rp_span v)
{
	begin(p);
	add(p, v.ptr, v.len);
	end(p);
}

/* --- arrays: dimensions, a flag, the type; size and lower bound; then the elements ----------- */

void rp_pg_array_begin(struct rp_pg_params *p, enum rp_pg_type type, size_t n)
{
	static const uint32_t oids[] = {[RP_PG_BOOL] = OID_BOOL,
					[RP_PG_INT4] = OID_INT4,
					[RP_PG_INT8] = OID_INT8,
					[RP_PG_TEXT] = OID_TEXT,
					[RP_PG_BYTEA] = OID_BYTEA};

	begin(p);
	add_number(p, n > 0, 4);
	add_number(p, 0, 4);
	add_number(p, oids[type], 4);
	if (n == 0)
		return;
	add_number(p, n, 4);
	add_number(p, 1, 4);
}

void rp_pg_array_end(struct rp_pg_params *p)
{
	end(p);
}

void rp_pg_add_i64(struct rp_pg_params *p, int64_t v)
{
	add_number(p, 8, 4);
	add_number(p, (uint64_t)v, 8);
}

void rp_pg_add_i32(struct rp_pg_params *p, int32_t v)
{
	add_number(p, 4, 4);
	add_number(p, (uint32_t)v, 4);
}

void rp_pg_add_bool(struct rp_pg_params *p, bool v)
{
	add_number(p, 1, 4);
	add_number(p, v, 1);
}

void rp_pg_add_text(struct rp_pg_params *p, struct rp_span v)
{
	size_t at = p->bytes.len;

	add_number(p, 0, 4);
	add_escaped(p, v);
	set_number(p, at, p->bytes.len - at - 4);
}

void rp_pg_add_bytea(struct rp_pg_params *p, struct rp_span v)
{
	add_number(p, v.len, 4);
	add(p, v.ptr, v.len);
}

void rp_pg_add_null(struct rp_pg_params *p)
{
	add_number(p, UINT32_MAX, 4);
}

void rp_pg_put_u64_array(struct rp_pg_params *p, const uint64_t *v, size_t n)
{
	size_t i;

	rp_pg_array_begin(p, RP_PG_INT8, n);
	for (i = 0; i < n; i++)
		rp_pg_add_i64(p, (int64_t)v[i]);
	rp_pg_array_end(p);
}
