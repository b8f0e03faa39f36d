//! How far a request is: what it was estimated to take, and what it has attained.

/// See the module. It is all that an order knows of a request. Work is in CPU-seconds of the
/// reference core.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    number: u64,
    estimate_secs: f64,
    attained_secs: f64,
    size_secs: f64,
    bytes: u64,
    owner: Owner,
}

/// Where the client of a request stands beside others.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Owner {
    /// What is of a lower number goes before all of a higher one.
    pub priority: u8,
    /// What the client had attained when the request was sent, in CPU-seconds of the reference core
    /// over its weight: finite and not negative.
    pub attained_secs: f64,
}

impl Progress {
    /// A request that has attained nothing. Numbers count up by one with each submitted request;
    /// the estimate is finite and above zero.
    pub fn new(number: u64, estimate_secs: f64) -> Progress {
        debug_assert!(0.0 < estimate_secs, "an estimate is above zero");
        debug_assert!(estimate_secs.is_finite(), "work is finite");
        Progress {
            number,
            estimate_secs,
            attained_secs: 0.0,
            size_secs: estimate_secs,
            bytes: 0,
            owner: Owner::default(),
        }
    }

    /// The same, which holds so many bytes of memory from its start to its end.
    #[must_use]
    pub fn holding(self, bytes: u64) -> Progress {
        Progress { bytes, ..self }
    }

    /// The same of a client that stands there.
    #[must_use]
    pub fn of(self, owner: Owner) -> Progress {
        debug_assert!(owner.attained_secs.is_finite(), "work is finite");
        debug_assert!(0.0 <= owner.attained_secs, "nobody has attained less than nothing");
        Progress { owner, ..self }
    }

    /// Where its client stands.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Bytes of memory that it holds from its start to its end.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The estimate, doubled as often as it was outlived: a giant that was mistaken for a dwarf
    /// sinks. Above what was attained, and at most twice that once it was outlived.
    pub fn size_secs(&self) -> f64 {
        self.size_secs
    }

    /// The work that is believed to be left, above zero.
    pub fn remaining_secs(&self) -> f64 {
        self.size_secs - self.attained_secs
    }

    /// It has attained so much in all: finite and not negative. Less than before where the host's
    /// speed is believed to be lower now.
    pub(crate) fn attain(&mut self, attained_secs: f64) {
        debug_assert!(attained_secs.is_finite(), "work is finite");
        if attained_secs < self.attained_secs {
            self.size_secs = self.estimate_secs;
        }
        self.attained_secs = attained_secs;
        while self.size_secs <= attained_secs {
            self.size_secs *= 2.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlived_estimate_doubles_until_it_is_above_what_was_attained() {
        let mut progress = Progress::new(0, 10.0);
        for (attained, size) in [(9.0, 10.0), (10.0, 20.0), (79.0, 80.0), (81.0, 160.0)] {
            progress.attain(attained);
            assert_eq!((progress.size_secs(), progress.remaining_secs()), (size, size - attained));
        }
    }

    #[test]
    fn an_estimate_that_was_not_outlived_after_all_is_the_estimate_again() {
        let mut progress = Progress::new(0, 10.0);
        progress.attain(30.0);
        progress.attain(5.0);
        assert_eq!((progress.size_secs(), progress.remaining_secs()), (10.0, 5.0));
    }
}
