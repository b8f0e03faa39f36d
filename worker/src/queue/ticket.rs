//! What an order knows of a request.

/// A request, as an order sees it. Work is in CPU-seconds of the reference core.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    /// Counts up by one with each submitted request.
    pub(crate) number: u64,
    /// The work that was predicted, finite and above zero.
    pub(crate) estimate_secs: f64,
    /// The work that has been done, finite and not negative.
    pub(crate) attained_secs: f64,
}

impl Ticket {
    /// The estimate, doubled as often as it was outlived: a giant that was mistaken for a dwarf
    /// sinks. Above what was attained, and at most twice that once it was outlived.
    pub(crate) fn size_secs(&self) -> f64 {
        debug_assert!(0.0 < self.estimate_secs, "an estimate is above zero");
        debug_assert!(self.attained_secs.is_finite(), "work is finite");

        let mut size = self.estimate_secs;
        while size <= self.attained_secs {
            size *= 2.0;
        }
        size
    }

    /// The work that is believed to be left, above zero.
    pub(crate) fn remaining_secs(&self) -> f64 {
        self.size_secs() - self.attained_secs
    }
}
