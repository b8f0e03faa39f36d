//! What one entry into a counted block is worth.

#[cfg(target_arch = "x86_64")]
mod flow;
#[cfg(target_arch = "x86_64")]
mod machine_code;

use std::sync::OnceLock;

use crate::histogram::{self, Block, Counts, LINE};

/// What every block is worth, in the order of a histogram's places.
#[derive(Debug)]
pub(crate) struct Weights {
    worths: Box<[Worth]>,
    fingerprint: u64,
}

/// What one entry into a block is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Worth {
    /// Instructions, in units of 1 / [`UNIT`]. Below zero where entries into this block tell that
    /// another one was left out.
    instructions: i32,
    /// 1 where a function begins with the block.
    methods: i32,
}

/// What a histogram is worth, as it is read.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    instructions: i64,
    basic_blocks: u64,
    methods: u64,
}

/// Parts of an instruction that a weight may be a multiple of.
const UNIT: i32 = 64;

/// Instructions of a block whose code cannot be read: what a block has on average.
const INSTRUCTIONS_UNREAD: f64 = 6.0;

/// The weights of this program; worked out at the first call, which takes tens of milliseconds.
pub(crate) fn weights() -> &'static Weights {
    static WEIGHTS: OnceLock<Weights> = OnceLock::new();
    WEIGHTS.get_or_init(Weights::of_this_program)
}

/// The address of every function that is counted, for a look at what they are. Some may be of code
/// that the linker dropped; those are left out.
pub fn counted_functions() -> Vec<usize> {
    let is_kept = |block: &Block| block.is_entry && 1 < block.address;
    histogram::blocks().iter().filter(|block| is_kept(block)).map(|block| block.address).collect()
}

#[cfg(target_arch = "x86_64")]
fn instructions_per_entry(blocks: &[Block]) -> Vec<f64> {
    machine_code::instructions_per_entry(blocks)
}

#[cfg(not(target_arch = "x86_64"))]
fn instructions_per_entry(blocks: &[Block]) -> Vec<f64> {
    vec![INSTRUCTIONS_UNREAD; blocks.len()]
}

// === impl Weights ===

impl Weights {
    fn of_this_program() -> Weights {
        let blocks = histogram::blocks();
        // Place 0 belongs to no block.
        let mut worths = vec![Worth::default()];
        worths.extend(blocks.iter().zip(instructions_per_entry(&blocks)).map(
            |(block, instructions)| Worth {
                instructions: (instructions * f64::from(UNIT)).round() as i32,
                methods: i32::from(block.is_entry),
            },
        ));
        worths.resize((1 + histogram::n_blocks()).next_multiple_of(LINE), Worth::default());
        Weights { fingerprint: fingerprint(&worths), worths: worths.into() }
    }

    /// The worth of each place, a cache line of places at a time.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &[Worth]> {
        self.worths.chunks_exact(LINE)
    }

    /// A number that two programs share only where a count means the same in both. 48 bits, so
    /// that it may travel as a float.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// See [`Weights::fingerprint`]: each response carries it, and to hash all blocks takes 0.1 ms.
fn fingerprint(worths: &[Worth]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let step = |hash: u64, word: i32| (hash ^ u64::from(word.cast_unsigned())).wrapping_mul(PRIME);
    let hash = worths
        .iter()
        .fold(OFFSET, |hash, worth| step(step(hash, worth.instructions), worth.methods));
    (hash >> 16).max(1)
}

// === impl Sum ===

impl Sum {
    /// Adds `count` entries into a block.
    #[inline]
    pub(crate) fn add(&mut self, count: u64, worth: Worth) {
        let instructions = (count.cast_signed()).wrapping_mul(i64::from(worth.instructions));
        self.instructions = self.instructions.wrapping_add(instructions);
        self.basic_blocks = self.basic_blocks.wrapping_add(count);
        self.methods =
            self.methods.wrapping_add(count.wrapping_mul(u64::from(worth.methods.cast_unsigned())));
    }

    /// What it comes to.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            instructions: (self.instructions / i64::from(UNIT)).max(0).cast_unsigned(),
            basic_blocks: self.basic_blocks,
            methods: self.methods,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_that_of_the_weights_and_worked_out_with_them() {
        let (one, other) = (Worth { instructions: 64, methods: 1 }, Worth::default());
        assert_ne!(fingerprint(&[one, other]), fingerprint(&[other, one]));
        assert!(fingerprint(&[one]) < 1 << 48);
        let weights = Weights::of_this_program();
        assert_eq!(weights.fingerprint(), fingerprint(&weights.worths));
    }
}
