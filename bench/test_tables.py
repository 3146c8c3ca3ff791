"""Tests of the pure parts."""

import unittest

from tables import METRICS, Metric, middle, ratio, report, table


def phase(rate: float, p50: float | None = None, unit: str = "workflow") -> dict:
    latency = None if p50 is None else {"p50_ms": p50}
    return {"unit": unit, "per_second": rate, "latency": latency, "server": None}


RATE, P50 = METRICS[0], METRICS[1]


class Tables(unittest.TestCase):
    def test_the_median_ignores_the_order_and_runs_without_the_number(self):
        self.assertEqual(middle([phase(9), phase(1), phase(5)], RATE), 5)
        self.assertEqual(middle([phase(1, 4.0), phase(1)], P50), 4.0)
        self.assertIsNone(middle([phase(1)], P50))

    def test_a_rate_of_seconds_is_no_rate(self):
        self.assertIsNone(middle([phase(1, unit="second")], RATE))

    def test_a_scale_is_applied(self):
        metric = Metric("KiB", ("per_second",), 1, scale=1 / 1024)
        self.assertEqual(middle([phase(2048)], metric), 2)

    def test_the_ratio_says_how_many_times_better_ours_is(self):
        self.assertEqual(ratio(30, 10, more_is_better=True), "3.0×")
        self.assertEqual(ratio(30, 10, more_is_better=False), "0.3×")
        self.assertEqual(ratio(None, 10, more_is_better=True), "")
        self.assertEqual(ratio(0, 10, more_is_better=False), "∞")

    def test_a_side_that_was_not_run_is_a_dash(self):
        results = {("reference", "one"): [phase(12.34)]}
        self.assertIn("| one | 12.3 | – |  | – |", table(results, ["one"], RATE))

    def test_a_metric_that_nobody_has_is_left_out(self):
        text = report({("reference", "one"): [phase(1)]}, ["one"])
        self.assertIn("Throughput", text)
        self.assertNotIn("Latency", text)


if __name__ == "__main__":
    unittest.main()
