#!/usr/bin/env python3
"""Rules with one mistake each, which the conformance tests must find on every store: a store that
breaks a rule of src/model, or that does not ask it, is none. A mistake is a change of one place of
the source, told below; only that file is compiled anew."""
# torture: budget_s=480 quick_budget_s=50 cores=1
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
STORES = ("lmdb", "memory")

# name -> (file in src/model, what stands there, what stands there instead, tests that must fail)
MUTANTS = {
    "not_before_ignored": ("transition.c",
                           "a->not_before_at_ms > now_at_ms ? a->not_before_at_ms : now_at_ms",
                           "now_at_ms", "append"),
    "late_2xx_forgotten": ("transition.c",
                           "(s->kind != RP_SETTLE_DELIVERED || from->state == RP_STATE_DELIVERED)",
                           "(s->kind != RP_SETTLE_DELIVERED || from->state != RP_STATE_IN_FLIGHT)",
                           "exchange"),
    "expired_is_sent": ("transition.c", "from->expires_at_ms <= by->now_at_ms)",
                        "from->expires_at_ms <= 0)", "exchange"),
    "replay_has_no_fresh_budget": ("transition.c", "\td->failures = d->losses = 0;\n", "",
                                   "change"),
    "retrying_not_counted": ("ledger.c", "\th->retrying += c->enters_retrying;\n", "", "counters"),
    "streak_never_ends": ("ledger.c", "\t\tr->streak = 0;\n", "", "exchange"),
    "order_overtaken": ("sequence.c", "\tif (first_seq < m->seq) {\n\t\tchoice.behind = true;",
                        "\tif (first_seq < m->seq) {\n"
                        "\t\tchoice.behind = first->state == RP_STATE_IN_FLIGHT;", "order"),
    "order_never_goes_on": ("sequence.c",
                            "\t\tchoice.moves_first = first->behind;\n\t\treturn choice;",
                            "\t\treturn choice;", "order"),
    "window_one_more": ("control.c", "if (in_flight >= rp_control_room(c))",
                        "if (in_flight > rp_control_room(c))", "exchange"),
    "limits_not_asked_again": ("control.c", "return change == RP_CONTROL_OPENED;",
                               "return change == RP_CONTROL_PROBED;", "control"),
    "pause_ignored": ("schedule.c", "at_ms = r->paused ? RP_NEVER", "at_ms = false ? RP_NEVER",
                      "exchange"),
    "park_ignored": ("schedule.c", "\tr->parked_until_ms = until_ms;\n", "", "exchange"),
    "one_endpoint_takes_all": ("claim_walk.c", "(owner != NULL ? RP_WALK_GO : w->host_go))",
                               "(owner != NULL ? 10000 : 10000))", "exchange"),
    "queue_walked_once": ("claim_walk.c", "\tq->turn = q->first;\n\tq->first = q->first->next;\n",
                          "", "hosts"),
    "what_is_passed_over_is_written": (
        "claim_walk.c", "bool only_passed = own->n_passed > 0 && own->n_vain == 0;",
        "bool only_passed = false;", "hosts"),
    "path_asks_itself_alone": ("receiver.c", "\t\tif (r->at[l] != NULL)\n"
                               "\t\t\ttake = rp_receiver_level_take(",
                               "\t\tif (l == RP_LEVEL_PATH)\n"
                               "\t\t\ttake = rp_receiver_level_take(", "hosts"),
    "unproven_take_all": ("receiver.c", "level->level == RP_LEVEL_HOST && room->unproven == 0 &&",
                          "level->level == RP_LEVEL_HOST && false &&", "hosts"),
    "tokens_of_the_path_alone_come_back": ("receiver.c", "(l != RP_LEVEL_SECTION || t->section",
                                           "(l == RP_LEVEL_PATH && t->section", "hosts"),
    "full_host_blocks_nobody": ("receiver.c", "\tfor (l = 0; l < RP_LEVELS; l++)\n"
                                "\t\tif (r->at[l] != NULL && r->at[l]->count[RP_STATE_WAITING]",
                                "\tfor (l = 0; l < RP_LEVEL_HOST; l++)\n"
                                "\t\tif (r->at[l] != NULL && r->at[l]->count[RP_STATE_WAITING]",
                                "hosts"),
    "one_path_opens_its_host": ("receiver.c", "path->bad_at != host->clears + 1 ||", "true ||",
                                "hosts"),
    "probe_of_a_bad_path_tells_nothing": (
        "receiver.c", " ||\n\t       host->control.breaker == RP_BREAKER_HALF_OPEN;", ";", "hosts"),
    "paths_never_count_anew": ("receiver.c", "\t\thost->clears++;\n", "\t\thost->clears += 0;\n",
                               "hosts"),
    "host_counts_nothing": ("receiver.c", "\tfor (l = 0; l < RP_LEVELS; l++)\n"
                            "\t\tif (r->at[l] != NULL)\n\t\t\tsound =",
                            "\tfor (l = 0; l < RP_LEVEL_HOST; l++)\n"
                            "\t\tif (r->at[l] != NULL)\n\t\t\tsound =", "hosts"),
    "path_enters_without_its_entries": ("receiver.c", "\t\tsection->count[s] += path->count[s];\n",
                                        "\t\tsection->count[s] += 0;\n", "hosts"),
    "path_leaves_without_its_entries": ("receiver.c", "\tsection->members -= sound;\n",
                                        "\tsection->members -= sound;\n\treturn sound;\n",
                                        "hosts"),
    "proven_for_ever": ("schedule.c", "age_ms < RP_PROVEN_MS &&", "true &&", "hosts"),
    "proven_though_bad": ("schedule.c", "(host->control.bad_streak == 0 ||", "(true ||", "hosts"),
    "proven_hosts_wait_with_the_others": ("schedule.c",
                                          "r->in_proven ? RP_QUEUE_PROVEN : RP_QUEUE_UNPROVEN",
                                          "RP_QUEUE_UNPROVEN", "hosts"),
    "paths_of_a_section_wait_beside_it": ("schedule.c",
                                          "r->section != 0 ? r->section : rp_level_host(id)",
                                          "rp_level_host(id)", "hosts"),
    "host_goes_before_its_paths": ("schedule.c", "!r->disabled && r->members == 0",
                                   "!r->disabled", "hosts"),
    "what_is_over_is_not_looked_for": ("schedule.c",
                                       "(r->count[RP_STATE_WAITING] > 0 || r->members > 0)",
                                       "r->count[RP_STATE_WAITING] > 0", "hosts"),
    "ahead_of_a_pause": ("receiver.c", "return !level->paused && !level->disabled &&",
                         "return !level->disabled &&", "ahead"),
    "ahead_of_an_open_breaker": ("receiver.c", "c->breaker == RP_BREAKER_CLOSED && c->limits",
                                 "c->limits", "ahead"),
    "ahead_without_a_token": ("receiver.c", "c->limits.in_flight > 0 && !is_metered(level) &&",
                              "c->limits.in_flight > 0 &&", "ahead"),
    "ahead_though_a_place_is_free": ("receiver.c", "return *lacks != 0 && rp_schedule_is_proven(",
                                     "return rp_schedule_is_proven(", "ahead"),
    "ahead_of_who_has_not_proven_itself": (
        "receiver.c",
        "return *lacks != 0 && rp_schedule_is_proven(r->at[RP_LEVEL_HOST], now_at_ms);",
        "return *lacks != 0;", "ahead"),
    "ahead_beyond_its_own_limit": ("receiver.c", " || (lacks_one && l < (int)from))", ")", "ahead"),
    "ahead_by_old_limits": ("claim_walk.c", "e = a->w->ops->look(a->w->arg, path, err);",
                            "e = RP_OK;", "ahead"),
    "claims_counted_as_places": ("schedule.c", "rp_endpoint_in_use(r))",
                                 "r->count[RP_STATE_IN_FLIGHT])", "ahead"),
    "heir_of_a_lost_claim": ("transition.c",
                             "if (!rp_transition_has_claim(from, claim_no) || from->lacks == 0)",
                             "if (from->state != RP_STATE_IN_FLIGHT || from->lacks == 0)", "ahead"),
    "heir_lacks_for_ever": ("transition.c", "\t*to = *from;\n\tto->lacks = 0;\n",
                            "\t*to = *from;\n", "ahead"),
    "lost_sender_lacks_for_ever": (
        "ledger.c", "c.leaves_lacking = lacks_of(from);",
        "c.leaves_lacking = to != NULL && to->losses > from->losses ? 0 : lacks_of(from);",
        "ahead"),
    "path_enters_without_who_lacks": ("receiver.c",
                                      "\t\tsection->lacking[s] += path->lacking[s];\n",
                                      "\t\tsection->lacking[s] += 0;\n", "ahead"),
    "full_path_is_not_told": ("receiver.c", "\t\t\tfull |= RP_LACKS(l);",
                              "\t\t\tfull |= l > 0 ? RP_LACKS(l) : 0;", "ahead"),
    "all_hosts_are_one": ("level.c", "\t\tat = scheme + 3;\n", "\t\tat = scheme;\n", "hosts"),
    "two_paths_have_one_number": ("level.c", "host + RP_MEMBER_PATHS + n % numbers",
                                  "host + RP_MEMBER_PATHS + n / 2 % numbers", "hosts"),
    "window_opens_slowly": ("control.c", ": RP_WINDOW_OPENS * PERMILLE;", ": PERMILLE;", "hosts"),
    "numbers_given_twice": ("arrival.c", "own >= *next_seq && own <= SEQ_AHEAD_MAX",
                            "own <= SEQ_AHEAD_MAX && own > 0", "import"),
    "dedupe_key_ignored": ("arrival.c", "return has_dedupe_key ? RP_IMPORT_DUPLICATE",
                           "return false ? RP_IMPORT_DUPLICATE", "import"),
    "replayed_by_two": ("job_step.c", "d->state != row->state || d->replays != row->replays",
                        "d->state != row->state", "jobs"),
    "queue_without_end": ("job_walk.c", "\t\troom -= n_due < room ? n_due : room;\n",
                          "\t\troom -= n_due > 99999;\n", "jobs"),
    "plans_without_end": ("job_walk.c", "if (s->n_plans >= RP_PLANS_MAX)", "if (s->n_plans > 9999)",
                          "jobs"),
    "clock_not_minded": ("clock.c", "latest_at_ms > now_at_ms + RP_CLOCK_SLACK_MS;",
                         "latest_at_ms > now_at_ms + 1000000 * RP_CLOCK_SLACK_MS;", "clock"),
    "handed_though_paused": ("hand_over.c", "rp_schedule_open_at_ms(level) <= now_at_ms;",
                             "(level->paused || rp_schedule_open_at_ms(level) <= now_at_ms);",
                             "hand_over"),
    "handed_before_others": ("hand_over.c", "return level->ready_at_ms <= now_at_ms;",
                             "return level->ready_at_ms < 0;", "hand_over"),
    "handed_without_a_token": ("hand_over.c", "level->control.limits.rate.count == 0 &&", "",
                               "hand_over"),
    "handed_to_an_old_offer": ("hand_over.c", "age_ms <= RP_OFFER_KEEPS_MS &&", "",
                               "hand_over"),
    "more_handed_than_offered": ("hand_over.c", "return claims < o->claims_max &&",
                                 "return claims <= o->claims_max && o->claims_max > 0 &&",
                                 "hand_over"),
    "other_limits_not_seen": ("hand_over.c", "a->in_flight == b->in_flight &&", "",
                              "hand_over"),
    "filter_without_an_end": ("filter.c", "facts->accepted_at_ms < f->until_at_ms",
                              "facts->accepted_at_ms <= f->until_at_ms", "filter"),
}


class Part:
    def __init__(self, options):
        self.bin, self.seed, self.quick = options.bin.resolve(), options.seed, options.quick
        self.passed = self.failed = 0

    def check(self, good, text):
        self.passed += good
        self.failed += not good
        if not good:
            print("FAIL", text, flush=True)

    def build(self, name, file, old, new, test):
        source = (ROOT / "src/model" / file).read_text()
        if source.count(old) != 1:
            self.check(False, f"mutant {name}: its place is {source.count(old)} times in {file}")
            return None
        path = self.bin / "torture/rules/mutants" / f"{name}.c"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source.replace(old, new))
        program = self.bin / f"torture/rules/mutant-{name}"
        made = subprocess.run(["make", "--no-print-directory", "WERROR=0", f"BUILD={self.bin}",
                               f"JUDGE=test_conformance_{test}", str(program)],
                              cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if made.returncode:
            self.check(False, f"mutant {name} cannot be built: {made.stdout}")
            return None
        return program

    def mutant(self, name, file, old, new, test):
        program = self.build(name, file, old, new, test)
        for store in STORES if program else ():
            env = {**os.environ, "RP_CONFORMANCE_STORE": store, "CK_TIMEOUT_MULTIPLIER": "4"}
            done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  text=True, env=env, timeout=240, check=False)
            found = re.findall(r":([a-z0-9_]+):\d+: ", done.stdout)
            print(f"mutant {name} on {store}: {', '.join(sorted(set(found))) or 'not found'}",
                  flush=True)
            self.check(done.returncode != 0 and bool(found),
                       f"the mutant {name} was not found on {store}")

    def run(self):
        began, left = time.monotonic(), 25 if self.quick else 1e9
        names = sorted(MUTANTS)
        for name in names[self.seed % len(names):] + names[:self.seed % len(names)]:
            # The short run takes as many as it can, from another one on each time.
            if time.monotonic() - began < left:
                self.mutant(name, *MUTANTS[name])
        print("result", json.dumps({"passed": self.passed, "failed": self.failed,
                                    "violations": 0}))
        return 1 if self.failed else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    return Part(parser.parse_args()).run()


sys.exit(main())
