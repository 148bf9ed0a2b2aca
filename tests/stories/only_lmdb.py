"""Stories that are about an outbox in a directory, or about none: on another store they would say
nothing new. Each module, class or test has its reason."""

FILES = "about the files of an outbox in a directory"
NO_OUTBOX = "about no outbox: the store makes no difference"
ITS_OWN = "makes its own outboxes in directories"

REASONS = {
    "test_completion": NO_OUTBOX,
    "test_containers": FILES,
    "test_crash": FILES,
    "test_damage": FILES,
    "test_demo": ITS_OWN,
    "test_docs": NO_OUTBOX,
    "test_doctor": FILES,
    "test_durability": FILES,
    "test_full": FILES,
    "test_hand_over": "this store does not hand over",
    "test_pages": FILES,
    "test_places": FILES,
    "test_setup": NO_OUTBOX,
    "test_sink": NO_OUTBOX,
    "test_standby": "has databases of its own, whatever the store of the others is",
    "test_units": NO_OUTBOX,
    "test_wire": NO_OUTBOX,
    "test_words": NO_OUTBOX,
}


def reason(test):
    """Why the test is not for another store; None: it is."""
    parts = test.split(".")
    for n in range(1, len(parts) + 1):
        if ".".join(parts[:n]) in REASONS:
            return REASONS[".".join(parts[:n])]
    return None
