#!/usr/bin/env python3
"""When cron lines are due, over a year in three time zones, by somebody else's reckoning.

usage: schedule_oracle.py DUE_TIMES

croniter (Debian's python3-croniter) says which civil times a line names, and zoneinfo when the
clocks show those; from both follows what must be due, by the rule in the README:

  - a line of fixed hours: at each time that it names, once; the first time, if the clocks show it
    twice; at the change, if they leave it out;
  - a line whose hours begin with a star: whenever the clocks show a time that it names.

croniter reckons with time zones too, by another rule: its own. Every difference from that is told
and must be one of these:

  - it follows a change, and is off by as much as the clocks were: croniter goes on by elapsed time
    until it has come to the next time that is named;
  - croniter leaves out what comes twice, or takes the second time for the first;
  - croniter does not get past the change at all, and says the same time for ever.

Its iteration over civil times leaves out a day now and then that its own match() knows; that is
told as well.
"""

import collections
import datetime
import functools
import itertools
import os
import subprocess
import sys
import unittest
import zoneinfo

from croniter import croniter

DUE_TIMES = sys.argv[1]
YEAR = 2026
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]  # the last by half an hour

FIXED = """
30 3 * * *          0 3 * * *           30 2 * * *          0 2 * * *           59 1 * * *
0 1 * * *           30 1 * * *          15 2 * * *          45 2 * * *          0 0 * * *
59 23 * * *         0 12 * * *          0 1-4 * * *         30 1-4 * * *        */20 2 * * *
*/10 1 * * *        * 2 * * *           * 1 * * *           0,30 2,3 * * *      15 0-23 * * *
0 0-23/2 * * *      30 1-23/3 * * *     0 2 * * sun         30 2 * * sun        30 2 * * 7
0 3 * * 0           30 1 * * mon        0 22 * * mon-fri    0 2 * * sat,sun     5 0 1 * *
30 2 1 * *          0 2 29 3 *          30 2 29 mar *       30 2 8 3 *          30 1 1 11 *
0 2 25 10 *         30 2 25 oct *       0 2 5 apr *         0 2 4 oct *         30 4 1,15 * 5
0 0 13 * fri        0 6 1-7 * mon       0 4 */10 * *        0 0 1 1 *           0 0 31 * *
30 3 28-31 * *      10,20,40 2 * * *    0 5 * */3 *         59 2 * * *          7 2 1-7 3,4,10,11 *
""".strip()
OF_ANY_HOUR = """
0 * * * *           30 * * * *          15 */2 * * *        0 */3 * * *         */15 * * * *
*/30 * * * sun      0 */4 * * sat,sun   45 * 29 3 *         10 * * 10 *         5 */6 1 * *
30 */1 * * sun      20,50 * 1-8 3,11 *
""".strip()


def lines_of(table):
    return [line.strip() for row in table.splitlines() for line in row.split("  ") if line.strip()]


LINES = [(line, True) for line in lines_of(FIXED)] + [(line, False) for line in lines_of(OF_ANY_HOUR)]


def due_by_us(line, zone, begin, end):
    output = subprocess.run(
        [DUE_TIMES, str(begin), str(end), line],
        env={**os.environ, "TZ": zone},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [int(instant) for instant in output.split()]


def due_by_croniter(line, zone, begin, end):
    """What is due, and up to when it could be said."""
    times = croniter(line, datetime.datetime.fromtimestamp(begin, zone))
    found = []
    while (instant := int(times.get_next(float))) <= end:
        if found and instant <= found[-1]:
            return found, found[-1]
        found.append(instant)
    return found, end


def shown_at(civil, zone):
    """The instants at which the clocks show this: one, two, or none."""
    instants = {int(civil.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (0, 1)}
    return sorted(
        instant
        for instant in instants
        if datetime.datetime.fromtimestamp(instant, zone).replace(tzinfo=None) == civil
    )


def change_over(civil, zone):
    """When the clocks pass over a time that they do not show."""
    late = int(civil.replace(tzinfo=zone, fold=0).timestamp())
    early = int(civil.replace(tzinfo=zone, fold=1).timestamp())
    low, high = min(early, late), max(early, late)
    offset = datetime.datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        is_old = datetime.datetime.fromtimestamp(middle, zone).utcoffset() == offset
        low, high = (middle, high) if is_old else (low, middle)
    return high


@functools.lru_cache(maxsize=1)
def civil_times(line):
    """Those of the year that the line names, and of a day before and after it."""
    margin = datetime.timedelta(days=1)
    times = croniter(line, datetime.datetime(YEAR, 1, 1) - margin)
    last = datetime.datetime(YEAR + 1, 1, 1) + margin
    return list(itertools.takewhile(lambda civil: civil <= last, times.all_next(datetime.datetime)))


def due_by_the_rule(line, is_fixed, zone, begin, end):
    due = set()
    for civil in civil_times(line):
        shown = shown_at(civil, zone)
        if is_fixed:
            due.add(shown[0] if shown else change_over(civil, zone))
        else:
            due.update(shown)
    return sorted(instant for instant in due if begin < instant <= end)


def year(zone):
    """From its beginning to its end there."""
    return [
        int(datetime.datetime(number, 1, 1, tzinfo=zone).timestamp()) for number in (YEAR, YEAR + 1)
    ]


class ScheduleTest(unittest.TestCase):
    def test_lines_are_due_when_somebody_else_says_so(self):
        compared = instants = left_out = 0
        for line, is_fixed in LINES:
            for zone_name in ZONES:
                zone = zoneinfo.ZoneInfo(zone_name)
                with self.subTest(zone=zone_name, line=line):
                    begin, end = year(zone)
                    ours = due_by_us(line, zone_name, begin, end)
                    rule = due_by_the_rule(line, is_fixed, zone, begin, end)
                    self.assertLessEqual(set(rule), set(ours))
                    self.assertEqual(ours, sorted(set(ours)))
                    for instant in set(ours) - set(rule):
                        civil = datetime.datetime.fromtimestamp(instant, zone)
                        print(f"  {zone_name:20} {line:20} {civil}  left out by croniter")
                        self.assertTrue(croniter.match(line, civil.replace(tzinfo=None)))
                        left_out += 1
                    instants += len(ours)
                compared += 1
        print(f"RESULT schedule: lines={len(LINES)} zones={len(ZONES)} compared={compared} "
              f"instants={instants} left_out_by_croniter={left_out}", flush=True)  # fmt: skip

    def test_what_croniter_itself_makes_of_the_changes_is_explained(self):
        explained = collections.Counter()
        for zone_name in ZONES:
            zone = zoneinfo.ZoneInfo(zone_name)
            for line, _ in LINES:
                begin, end = year(zone)
                theirs, last = due_by_croniter(line, zone, begin, end)
                if last < end:
                    at = datetime.datetime.fromtimestamp(last, zone)
                    print(f"  {zone_name:20} {line:20} {at}  croniter stays there")
                    explained["croniter does not get past the change"] += 1
                    self.assertEqual(len(shown_at(at.replace(tzinfo=None), zone)), 2)
                ours = set(due_by_us(line, zone_name, begin, last))
                theirs = set(theirs)
                for instant in sorted(ours ^ theirs):
                    why = self.explain(line, zone, instant, instant in ours)
                    shown = datetime.datetime.fromtimestamp(instant, zone)
                    whose = "ours" if instant in ours else "croniter's"
                    self.assertIsNotNone(why, f"{zone_name}: {line}: {shown}, only {whose}")
                    print(f"  {zone_name:20} {line:20} {shown}  only {whose}: {why}")
                    explained[why] += 1
        for why, count in explained.items():
            print(f"RESULT schedule_differences: count={count} why='{why}'", flush=True)

    def explain(self, line, zone, instant, is_ours):
        civil = datetime.datetime.fromtimestamp(instant, zone).replace(tzinfo=None)
        shown = shown_at(civil, zone)
        is_named = croniter.match(line, civil)
        if not is_ours:
            if not is_named:
                return "croniter is off by the change that came before"
            return "croniter takes the second of two" if instant == shown[-1] != shown[0] else None
        if is_named:
            return "croniter leaves it out, or is late for it, after a change"
        just_before = datetime.datetime.fromtimestamp(instant - 1, zone)
        is_change = just_before.utcoffset() != datetime.datetime.fromtimestamp(
            instant, zone
        ).utcoffset()
        return "left out by the clocks: due at the change" if is_change else None


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
