//! Measures one request on the thread that runs it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use crate::histogram::{self, Counts, Paused};
use crate::{allocator, clock, weights};

/// Measures from [`Meter::start`] to [`Meter::stop`] what this thread executes, and nothing that
/// other threads execute.
///
/// One at a time on a thread: a second one started meanwhile measures CPU time and bytes but counts
/// nothing. A meter that is dropped, as by a panic, leaves no count behind.
#[derive(Debug)]
pub struct Meter {
    counts: bool,
    cpu_before: Option<Duration>,
    bytes_before: Option<u64>,
    _stays_on_its_thread: PhantomData<*const ()>,
}

/// What one request cost. `None` is what this program cannot measure.
///
/// Counts are equal from run to run; CPU time is what the machine made of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RequestCost {
    /// Instructions executed in counted code. An estimate: the code of the blocks that were entered
    /// is added up, and branches within them are taken to go either way.
    pub instructions: Option<u64>,
    /// Basic blocks entered, of those that are counted.
    pub basic_blocks: Option<u64>,
    /// Functions entered, of those that the compiler has not inlined.
    pub methods: Option<u64>,
    /// CPU time of the thread, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Bytes asked of the allocator; `None` where it is not the [`CountingAllocator`].
    ///
    /// [`CountingAllocator`]: crate::CountingAllocator
    pub bytes_allocated: Option<u64>,
}

/// What this program counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counting {
    /// Nothing; [`off_reason`] says why. CPU time and bytes are measured all the same.
    Off,
    /// The fewest blocks from which the others can be told: what ships.
    Lite,
    /// Every block, to check [`Counting::Lite`] against.
    Full,
}

/// A part of a metered thread that is not the request's: what runs until this is dropped is neither
/// counted nor are its bytes. Its CPU time is: a thread that blocks uses none.
#[derive(Debug)]
pub(crate) struct Pause {
    counts: Paused,
    bytes: u64,
}

thread_local! {
    static METERED: Cell<bool> = const { Cell::new(false) };
    /// Instructions and blocks that were charged since the meter was started.
    static CHARGED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Adds so many instructions and basic blocks to what the meter of this thread counts: for code
/// that is not counted, such as a library's, where what it does is known beforehand. Without a
/// meter nothing is added.
pub fn charge(instructions: u64, basic_blocks: u64) {
    let (instructions_before, blocks_before) = CHARGED.get();
    CHARGED.set((
        instructions_before.saturating_add(instructions),
        blocks_before.saturating_add(basic_blocks),
    ));
}

/// What this program counts, as it was built.
pub fn counting() -> Counting {
    if histogram::n_blocks() == 0 {
        Counting::Off
    } else if cfg!(weighbridge_counts = "full") {
        Counting::Full
    } else {
        Counting::Lite
    }
}

/// Why nothing is counted, for the log at start; `None` where it is.
pub fn off_reason() -> Option<&'static str> {
    if counting() != Counting::Off {
        None
    } else if cfg!(weighbridge_counts_refused = "platform") {
        Some("counting needs Linux on x86-64")
    } else if cfg!(weighbridge_counts_refused = "toolchain") {
        Some("this compiler and linker cannot build counted code")
    } else if cfg!(weighbridge_counts_refused = "profile") {
        Some("the profile does not optimise what is counted")
    } else if cfg!(any(weighbridge_counts = "lite", weighbridge_counts = "full")) {
        Some("the program contains no code that is counted")
    } else {
        Some(
            "it was built without the flags in `.cargo/config.toml`, either because RUSTFLAGS in \
             the environment replaced them or because cargo ran outside of the repository",
        )
    }
}

/// What the counts of this program may be compared with: those under the same id, which no other
/// build has. 48 bits, so that it may travel as a float. 0 when not counting.
pub fn build_id() -> u64 {
    match counting() {
        Counting::Off => 0,
        Counting::Lite | Counting::Full => weights::weights().fingerprint(),
    }
}

/// Does now what the first meter would do else: reads this program's code, which takes tens of
/// milliseconds. And [`prepare_allocator`](crate::prepare_allocator).
pub fn prepare() {
    allocator::prepare_allocator();
    weights::weights();
}

// === impl Meter ===

impl Meter {
    /// Measures this thread from now on.
    #[inline(never)]
    #[must_use = "a meter that is dropped measures nothing"]
    pub fn start() -> Meter {
        let counts = counting() != Counting::Off && !METERED.replace(true);
        if counts {
            // What a thread does once is not the request's.
            weights::weights();
            histogram::prepare();
            CHARGED.set((0, 0));
        }
        let meter = Meter {
            counts,
            bytes_before: allocator::bytes_allocated(),
            cpu_before: clock::of_this_thread(),
            _stays_on_its_thread: PhantomData,
        };
        if counts {
            histogram::begin();
        }
        meter
    }

    /// What was executed since [`Meter::start`].
    #[inline(never)]
    pub fn stop(mut self) -> RequestCost {
        let bytes_after = allocator::bytes_allocated();
        let cpu_after = clock::of_this_thread();
        let counts = self.end();
        RequestCost {
            instructions: counts.map(|counts| counts.instructions),
            basic_blocks: counts.map(|counts| counts.basic_blocks),
            methods: counts.map(|counts| counts.methods),
            cpu_seconds: cpu_after
                .zip(self.cpu_before)
                .map(|(after, before)| after.saturating_sub(before).as_secs_f64()),
            bytes_allocated: bytes_after
                .zip(self.bytes_before)
                .map(|(after, before)| after.wrapping_sub(before)),
        }
    }

    /// Stops counting, at the first call.
    fn end(&mut self) -> Option<Counts> {
        if !std::mem::take(&mut self.counts) {
            return None;
        }
        METERED.set(false);
        let counts = histogram::end(weights::weights());
        let (instructions, basic_blocks) = CHARGED.take();
        Some(Counts {
            instructions: counts.instructions.saturating_add(instructions),
            basic_blocks: counts.basic_blocks.saturating_add(basic_blocks),
            ..counts
        })
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.end();
    }
}

// === impl Pause ===

impl Pause {
    /// From here on this thread runs for nobody.
    pub(crate) fn start() -> Pause {
        Pause { counts: histogram::pause(), bytes: allocator::bytes() }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        allocator::set_bytes(self.bytes);
        histogram::resume(self.counts);
    }
}

// === impl RequestCost ===

impl RequestCost {
    /// The cost as a load report's `request_cost` has it: what was measured, by name.
    pub fn to_entries(&self) -> BTreeMap<String, f64> {
        let count = |count: Option<u64>| count.map(|count| count as f64);
        let named = [
            ("instructions", count(self.instructions)),
            ("basic_blocks", count(self.basic_blocks)),
            ("methods", count(self.methods)),
            ("cpu_seconds", self.cpu_seconds),
            ("bytes_allocated", count(self.bytes_allocated)),
        ];
        named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// The cost that a load report's `request_cost` tells of. Other names are ignored.
    pub fn from_entries(entries: &BTreeMap<String, f64>) -> RequestCost {
        let value = |name: &str| entries.get(name).copied();
        let count = |name: &str| value(name).map(|value| value as u64);
        RequestCost {
            instructions: count("instructions"),
            basic_blocks: count("basic_blocks"),
            methods: count("methods"),
            cpu_seconds: value("cpu_seconds"),
            bytes_allocated: count("bytes_allocated"),
        }
    }
}

#[cfg(test)]
mod tests;
