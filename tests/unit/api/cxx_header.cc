/* The public header compiles as C++ and its functions have C linkage. */
#include "runpost.h"

static bool see_nothing(void *, const rp_entry_view *)
{
	return false;
}

int main()
{
	rp_handle *handle = nullptr;
	rp_run run{};
	rp_receipt receipt{};
	rp_ledger ledger{};
	rp_error err{};

	if (rp_open("/dev/null/no-outbox", &handle, &err) == RP_OK) {
		rp_append(handle, &run, &receipt, &err);
		rp_walk(handle, static_cast<rp_state>(0), 0, see_nothing, nullptr, &err);
		rp_read_ledger(handle, &ledger, &err);
		rp_close(handle);
		return 1;
	}
	return handle == nullptr && err.text[0] != '\0' && rp_err_name(err.code)[0] != '\0' ? 0 : 1;
}
