#!/usr/bin/env python3
"""The simulation, seed after seed; the same seed twice; and the simulation of code with one
mistake in it, which it must find. A mistake is a change of one place of the source, told below;
only that file is compiled anew."""
# torture: budget_s=240 quick_budget_s=50 cores=1
import argparse
import json
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent

# name -> (file, what stands there, what stands there instead)
MUTANTS = {
    "claims_before_due": ("store/lmdb/claim.c",
                          "key[0] == ep->id && (int64_t)key[1] <= t->now_at_ms;",
                          "key[0] == ep->id && (int64_t)key[1] <= t->now_at_ms + 500;"),
    "lost_claim_settles": ("model/transition.c",
                           "!rp_transition_has_claim(from, s->claim_no);",
                           "from->state != RP_STATE_IN_FLIGHT;"),
    "late_2xx_forgotten": ("model/transition.c",
                           "(s->kind != RP_SETTLE_DELIVERED || from->state == RP_STATE_DELIVERED)",
                           "(s->kind != RP_SETTLE_DELIVERED || from->state != RP_STATE_IN_FLIGHT)"),
    "lost_claim_is_sent": ("store/lmdb/fetch.c",
                           "!rp_transition_has_claim(d, claim->claim_no)",
                           "d->claim_no != claim->claim_no && d->claim_no == 0"),
    "expired_is_sent": ("model/transition.c", "from->expires_at_ms <= by->now_at_ms)",
                        "from->expires_at_ms <= 0)"),
    "attempts_not_counted": ("model/transition.c", "\tto->attempts++;\n", ""),
    "living_sender_reaped": ("store/lmdb/senders.c", "boot_ms - s.beat_boot_ms > lease_ms",
                             "boot_ms - s.beat_boot_ms > lease_ms / 16"),
    "dead_sender_not_reaped": ("store/lmdb/senders.c", "if (e != RP_OK || n == 0)",
                               "if (e != RP_OK || n < 999)"),
    "lost_claim_stays_dead": ("model/transition.c", "if (damaged || to->losses >= RP_LOSSES_MAX)",
                              "if (damaged || to->losses >= 1)"),
    "not_deduplicated": ("store/lmdb/append.c",
                         "if (rc == MDB_KEYEXIST && value.mv_size == RP_ID_BYTES)",
                         "if (rc == MDB_KEYEXIST && value.mv_size != RP_ID_BYTES)"),
    "not_before_ignored": ("model/transition.c",
                           "a->not_before_at_ms > now_at_ms ? a->not_before_at_ms : now_at_ms",
                           "now_at_ms"),
    "order_overtaken": (
        "model/sequence.c", "\tif (first_seq < m->seq) {\n\t\tchoice.behind = true;",
        "\tif (first_seq < m->seq) {\n\t\tchoice.behind = first->state == RP_STATE_IN_FLIGHT;"),
    "order_never_goes_on": ("model/sequence.c",
                            "\t\tchoice.moves_first = first->behind;\n\t\treturn choice;",
                            "\t\treturn choice;"),
    "pause_ignored": ("model/schedule.c", "at_ms = r->paused ? RP_NEVER",
                      "at_ms = false ? RP_NEVER"),
    "held_is_lost": ("model/transition.c",
                     "\t\tto->state = RP_STATE_WAITING; /* due when it was due before */",
                     "\t\tto->state = RP_STATE_DEAD;"),
    "rate_twice": ("model/control.c", "\tc->full_at_us += interval_us(c->limits.rate);",
                   "\tc->full_at_us += interval_us(c->limits.rate) / 2;"),
    "window_one_more": ("model/control.c", "if (in_flight >= rp_control_room(c))",
                        "if (in_flight > rp_control_room(c))"),
    "window_wide_at_first": ("model/control.c", "\tc->window_permille = window_first(c);",
                             "\tc->window_permille = window_max(c);"),
    "probe_early": ("model/control.c", "\tc->probe_at_ms = now_at_ms + pause_ms;",
                    "\tc->probe_at_ms = now_at_ms + 1000;"),
    "two_probes": ("model/control.c", "if (c->breaker != RP_BREAKER_CLOSED)\n\t\treturn 1;",
                   "if (c->breaker != RP_BREAKER_CLOSED)\n\t\treturn 2;"),
    "retry_after_ignored": ("model/retry.c",
                            "retry_after_ms > delay_ms ? retry_after_ms : delay_ms", "delay_ms"),
    "jitter_below": ("model/retry.c", "add_saturating(wait_ms, jitter_ms)",
                     "add_saturating(wait_ms, -jitter_ms)"),
    "one_attempt_more": ("model/retry.c", "if (failures >= attempts_of(policy))",
                         "if (failures > attempts_of(policy))"),
    "503_is_delivered": ("model/retry.c", "\tif (outcome->cause == RP_CAUSE_NONE)\n",
                         "\tif (outcome->cause == RP_CAUSE_NONE || outcome->http_status == 503)\n"),
    "begun_after_the_lease": (
        "deliver/sender_attempt.c",
        "\trp_sender_return_ready(s);\n}\n\nenum rp_err rp_sender_start_ready",
        "}\n\nenum rp_err rp_sender_start_ready"),
    "unbegun_is_dead": ("deliver/sender_attempt.c",
                        "\t\tpush_finished(s, c, RP_SETTLE_RETURN);\n}\n",
                        "\t\tpush_finished(s, c, RP_SETTLE_DEAD);\n}\n"),
    "pause_not_seen_at_the_begin": ("model/start.c", "if (level->paused)",
                                    "if (level->paused && s->now_at_ms < 0)"),
    "tokens_keep": ("model/start.c", "s->age_ms > s->begin_within_ms ?",
                    "s->age_ms > s->begin_within_ms + 100000 ?"),
    "token_charged_at_the_claim": ("model/control.c", "take_token(c, now_at_ms + begin_within_ms);",
                                   "take_token(c, now_at_ms);"),
    "token_returned_twice": (
        "model/control.c", "c->full_at_us -= back_us < c->full_at_us ? back_us : c->full_at_us;",
        "c->full_at_us -= 2 * back_us < c->full_at_us ? 2 * back_us : c->full_at_us;"),
    "lack_spends": ("deliver/sender_attempt.c", "	if (outcome->lack != RP_LACK_NONE) {",
                    "	if (outcome->lack > RP_LACK_PORTS) {"),
    "piece_twice": ("store/lmdb/fetch.c", "\t\tat.in_chunk += bytes;\n",
                    "\t\tat.in_chunk += bytes - (bytes > 1 && at.chunk == 3);\n"),
    "bytes_changed": ("store/lmdb/fetch.c", "out->text.len - facts_bytes}",
                      "out->text.len - facts_bytes - 1}"),
    # of sections and hosts
    "host_limit_not_counted": (
        "model/receiver.c", "rp_schedule_open_at_ms(level) > now_at_ms)",
        "(level->level != RP_LEVEL_HOST && rp_schedule_open_at_ms(level) > now_at_ms))"),
    "section_limit_per_path": (
        "model/receiver.c", "rp_schedule_open_at_ms(level) > now_at_ms)",
        "(level->level != RP_LEVEL_SECTION && rp_schedule_open_at_ms(level) > now_at_ms))"),
    "path_counts_twice_at_its_host": (
        "model/receiver.c",
        "path->bad_at != host->clears + 1 ||",
        "host->control.breaker != RP_BREAKER_OPEN ||"),
    "success_does_not_clear_the_host": (
        "model/receiver.c", "return feedback != RP_FEEDBACK_BAD || path",
        "return feedback == RP_FEEDBACK_BAD && path"),
    "half_open_host_lets_two_through": (
        "model/schedule.c", "rp_control_ready_at_ms(&r->control, rp_endpoint_in_use(r))",
        "rp_control_ready_at_ms(&r->control, r->level == RP_LEVEL_HOST && "
        "r->control.breaker == RP_BREAKER_HALF_OPEN ? 0 : rp_endpoint_in_use(r))"),
    "unproven_take_all": ("store/lmdb/claim.c",
                          "due_at_ms, 0, err);\n\tc->room = rp_claims_room(c->x);\n",
                          "due_at_ms, 0, err);\n\tc->room = rp_claims_room(c->x);\n"
                          "\tc->room.unproven = c->x->want;\n"),
    "unproven_never_given_back": ("deliver/sender_attempt.c",
                                  "\t\ts->n_unproven -= c->claim.unproven;\n", ""),
    "bad_host_counts_as_proven": ("model/schedule.c",
                                  "(host->control.bad_streak == 0 ||", "(true ||"),
    "host_takes_no_token": (
        "model/receiver.c", "\t\tif (level == NULL)\n\t\t\tcontinue;\n\t\tout.tokens",
        "\t\tif (level == NULL || (l == RP_LEVEL_HOST && "
        "level->control.breaker == RP_BREAKER_CLOSED))\n\t\t\tcontinue;\n\t\tout.tokens"),
    "section_not_followed": (
        "store/lmdb/endpoint_new.c", "if (path->section == NULL && section.len == 0)",
        "if (path->section == NULL && (section.len == 0 || path->rec.served_at_ms > 0))"),
    # of what appends hand over
    "handed_though_paused": (
        "model/hand_over.c", "rp_schedule_open_at_ms(level) <= now_at_ms;",
        "(level->paused || rp_schedule_open_at_ms(level) <= now_at_ms);"),
    "handed_above_the_window": (
        "model/hand_over.c", "rp_schedule_open_at_ms(level) <= now_at_ms;",
        "!level->paused && level->parked_until_ms <= now_at_ms;"),
    "handed_over_twice": ("store/lmdb/hand_over.c", "\t\tk->from = ++key[1];",
                          "\t\t++key[1];"),
    "handed_over_and_lost": ("deliver/sender_offer.c", "\t\ts->taken_to = t.from;",
                             "\t\ts->taken_to = t.from + 1;"),
    "old_claims_after_a_reload": (
        "deliver/sender.c", "\trp_sender_return_ready(s);\n\ts->renewal",
        "\ts->renewal"),
    # of claims ahead of their places, and of places that are passed on
    "passed_on_after_a_failure": (
        "deliver/sender_places.c", "\t\trp_sender_places_pass(s, c);\n\t}\n\tcount_placed(",
        "\t}\n\tif (c->settlement.kind == RP_SETTLE_RETRY) {\n"
        "\t\tc->settlement.kind = RP_SETTLE_DELIVERED;\n\t\trp_sender_places_pass(s, c);\n"
        "\t\tc->settlement.kind = RP_SETTLE_RETRY;\n\t}\n\tcount_placed("),
    "heir_not_named": ("deliver/sender_exchange.c", "if (c->to == NULL || c->to->over)",
                       "if (c->to == NULL || !c->to->over)"),
    "heir_not_noted": ("store/lmdb/exchange.c", "x->settle[i].passes_to_seq != 0)",
                       "x->settle[i].passes_to_seq == 1)"),
    "lacking_not_counted": ("model/ledger.c",
                            "\t\tr->lacking[l] += (c->enters_lacking & RP_LACKS(l)) != 0;\n", ""),
    "lost_sender_lacks_for_ever": (
        "model/ledger.c", "c.leaves_lacking = lacks_of(from);",
        "c.leaves_lacking = to != NULL && to->losses > from->losses ? 0 : lacks_of(from);"),
    "lacks_when_it_has_landed": ("model/transition.c",
                                 "\tif (to->state != RP_STATE_IN_FLIGHT)\n\t\tto->lacks = 0;\n",
                                 ""),
    "ahead_without_a_token": ("model/receiver.c",
                              "c->limits.in_flight > 0 && !is_metered(level) &&",
                              "c->limits.in_flight > 0 &&"),
}


class Part:
    def __init__(self, options):
        self.bin, self.seed, self.quick = options.bin.resolve(), options.seed, options.quick
        self.passed = self.failed = self.violations = 0
        self.totals = {}

    def check(self, holds, text):
        self.passed += bool(holds)
        self.failed += not holds
        if not holds:
            print(text, flush=True)

    def sim(self, *args, program="sim"):
        done = subprocess.run([self.bin / "torture/sim" / program, *map(str, args)],
                              stdout=subprocess.PIPE, text=True, timeout=600, check=False)
        last = done.stdout.splitlines()[-1] if done.stdout else ""
        return done.returncode, dict(re.findall(r"(\w+)=(\w+)", last)), done.stdout

    def seeds(self):
        code, facts, text = self.sim("--seed", self.seed, "--seconds", 15 if self.quick else 100,
                                     "--hours", 2)
        if not facts or int(facts["violations"]):
            print(text, flush=True)
        self.violations = int(facts.get("violations", 1))
        self.totals = facts
        self.check(code == 0, "the simulation found something")
        self.check(int(facts.get("crashes", 0)) > 0 and int(facts.get("attempts", 0)) > 1000,
                   "hardly anything happened")

    def same_seed_twice(self):
        one, two = (self.sim("--seed", self.seed, "--hours", 0.3)[1] for _ in range(2))
        other = self.sim("--seed", self.seed + 1, "--hours", 0.3)[1]
        self.check(one == two and one.get("trace"), f"the same seed, and not the same: {one} {two}")
        self.check(one.get("trace") != other.get("trace"), "two seeds, and the same happened")

    def places(self):
        """Of all mutants, also of those that this run has no time for."""
        for name, (file, old, _) in sorted(MUTANTS.items()):
            source = ROOT / "src" / file
            n = source.read_text().count(old) if source.exists() else 0
            self.check(n == 1, f"mutant {name}: its place is {n} times in {file}")

    def mutant(self, name, file, old, new):
        source = (ROOT / "src" / file).read_text()
        if source.count(old) != 1:
            return  # places() has said so
        path = self.bin / "torture/sim/mutants" / f"{name}.c"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source.replace(old, new))
        # What a mutant does not use any more is no error, even where warnings are.
        made = subprocess.run(["make", "--no-print-directory", "WERROR=0", f"BUILD={self.bin}",
                               f"{self.bin}/torture/sim/mutant-{name}"],
                              cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if made.returncode:
            self.check(False, f"mutant {name} cannot be built: {made.stdout}")
            return
        for seed in range(self.seed, self.seed + 24):
            code, _, text = self.sim("--seed", seed, "--hours", 0.7, program=f"mutant-{name}")
            if code:
                break
        print(f"mutant {name}: seed {seed}: {text.splitlines()[0] if code else 'not found'}",
              flush=True)
        self.check(code == 1, f"the mutant {name} was not found")

    def run_mutants(self, pattern):
        self.places()
        for name in sorted(name for name in MUTANTS if pattern in name):
            self.mutant(name, *MUTANTS[name])
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0

    def run(self):
        self.places()
        self.seeds()
        self.same_seed_twice()
        began, left = time.monotonic(), 25 if self.quick else 1e9
        names = sorted(MUTANTS)
        for name in names[self.seed % len(names):] + names[:self.seed % len(names)]:
            # The short run takes as many as it can, from another one on each time.
            if time.monotonic() - began < left:
                self.mutant(name, *MUTANTS[name])
        print("result", json.dumps({
            "states": int(self.totals.get("steps", 0)), "kills": int(self.totals.get("crashes", 0)),
            "passed": self.passed, "failed": self.failed, "violations": self.violations,
            "note": f"{self.totals.get('hours')} h, "
            f"{self.totals.get('attempts')} attempts simulated"}))
        return 1 if self.failed or self.violations else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--mutants", metavar="PART", help="nothing but those with this in the name")
    options = parser.parse_args()
    part = Part(options)
    return part.run() if options.mutants is None else part.run_mutants(options.mutants)


sys.exit(main())
