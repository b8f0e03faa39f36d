//! The weight of one host, as its load reports have it.

use super::super::super::host::LoadReport;

/// Multiplier of the error rate that is added to the utilization.
const ERROR_PENALTY: f64 = 1.0;

/// A host has to have reported for so long before its weight is used, in seconds.
const BLACKOUT_SECS: f64 = 10.0;

/// A weight is not used when the last report is older than this, in seconds.
const EXPIRATION_SECS: f64 = 180.0;

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weight {
    value: f64,
    /// When it reported first and last, since it came up or its weight expired.
    reported: Option<(f64, f64)>,
}

// === impl Weight ===

impl Weight {
    /// Takes a report; one without requests or utilization says nothing.
    pub(super) fn observe(&mut self, now: f64, report: &LoadReport) {
        let busy = match report.application_utilization {
            application if 0.0 < application => application,
            _ => report.cpu_utilization,
        };
        if busy <= 0.0 || report.rps <= 0.0 {
            return;
        }
        self.value = report.rps / (busy + report.eps / report.rps * ERROR_PENALTY);
        let first = self.reported.map_or(now, |(first, _)| first);
        self.reported = Some((first, now));
    }

    /// The weight, where it may be used, of a host that is up since `up_since`.
    pub(super) fn usable(&mut self, now: f64, up_since: f64) -> Option<f64> {
        let (first, last) = self.reported?;
        if EXPIRATION_SECS <= now - last || last < up_since {
            self.reported = None;
            return None;
        }
        let first = first.max(up_since);
        self.reported = Some((first, last));
        (BLACKOUT_SECS <= now - first).then_some(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::choose::testing::report;
    use super::*;

    #[test]
    fn errors_lower_the_weight() {
        let mut weight = Weight::default();
        weight.observe(0.0, &report(10.0, 0.0, 0.5));
        assert_eq!(weight.usable(10.0, 0.0), Some(20.0));
        weight.observe(10.0, &report(10.0, 5.0, 0.5));
        assert_eq!(weight.usable(10.0, 0.0), Some(10.0));
    }

    #[test]
    fn the_cpu_serves_where_the_application_reports_nothing() {
        let mut weight = Weight::default();
        let cpu = LoadReport { cpu_utilization: 0.25, ..report(10.0, 0.0, 0.0) };
        weight.observe(0.0, &cpu);
        assert_eq!(weight.usable(10.0, 0.0), Some(40.0));
    }

    #[test]
    fn a_weight_is_used_between_blackout_and_expiration() {
        let mut weight = Weight::default();
        weight.observe(5.0, &report(10.0, 0.0, 0.5));
        assert_eq!(weight.usable(14.0, 0.0), None);
        assert_eq!(weight.usable(15.0, 0.0), Some(20.0));
        assert_eq!(weight.usable(185.0, 0.0), None);
        weight.observe(186.0, &report(10.0, 0.0, 0.5));
        assert_eq!(weight.usable(187.0, 0.0), None, "the blackout begins again");
    }

    #[test]
    fn a_host_that_came_back_begins_again() {
        let mut weight = Weight::default();
        weight.observe(0.0, &report(10.0, 0.0, 0.5));
        weight.observe(21.0, &report(10.0, 0.0, 0.5));
        assert_eq!(weight.usable(22.0, 20.0), None);
        assert_eq!(weight.usable(30.0, 20.0), Some(20.0));
    }

    #[test]
    fn an_idle_host_reports_nothing() {
        let mut weight = Weight::default();
        weight.observe(0.0, &report(0.0, 0.0, 0.0));
        assert_eq!(weight.usable(11.0, 0.0), None);
    }
}
