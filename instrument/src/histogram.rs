//! How often each counted block was entered, per thread.
//!
//! LLVM's coverage pass calls [`__sanitizer_cov_trace_pc_guard`] at the head of each block that it
//! counts; the linker inlines the call, which leaves three instructions:
//!
//! ```text
//! mov rax, fs:[COUNTS]      where this thread counts
//! mov ecx, [rip + guard]    which block this is
//! inc qword ptr [rax+rcx*8]
//! ```
//!
//! Everything else (what a block is worth, sums) waits until the request is done.

use std::cell::Cell;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::weights::{Sum, Weights};

/// What a thread executed while it was metered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) instructions: u64,
    pub(crate) basic_blocks: u64,
    pub(crate) methods: u64,
}

/// One block of the program, as LLVM's table tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// Address of its first instruction; 0 or 1 where the linker has dropped it.
    pub(crate) address: usize,
    /// Whether a function begins with it.
    pub(crate) is_entry: bool,
}

/// Two histograms of one thread: `active` while a meter runs, `idle` otherwise. Between requests
/// `active` is all zero, so that a meter starts by storing one pointer.
#[derive(Clone, Copy)]
struct Pair {
    active: &'static [AtomicU64],
    idle: &'static [AtomicU64],
}

/// A thread's histograms; they go back to the pool when the thread ends.
struct Owned(Cell<Option<Pair>>);

/// Where a thread counted. Stays on its thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paused(*const AtomicU64);

/// The most blocks that are told apart; those beyond share the last place.
pub(crate) const BLOCKS_MAX: usize = 1 << 18;

/// How many places of a histogram are looked at at once: one cache line.
pub(crate) const LINE: usize = 8;

/// Where threads count that were never metered. Nobody reads it, and only the pages that are
/// touched take memory.
static SINK: [AtomicU64; BLOCKS_MAX] = [const { AtomicU64::new(0) }; BLOCKS_MAX];
/// Histograms of threads that have ended.
static POOL: Mutex<Vec<Pair>> = Mutex::new(Vec::new());
static GUARDS: AtomicPtr<u32> = AtomicPtr::new(ptr::null_mut());
static N_GUARDS: AtomicUsize = AtomicUsize::new(0);
/// The number that the next block gets. Place 0 belongs to blocks that have none yet.
static NEXT: AtomicU32 = AtomicU32::new(1);
static TABLE: AtomicPtr<[usize; 2]> = AtomicPtr::new(ptr::null_mut());
static TABLE_LEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    // Initialised by a constant and without a destructor: a plain load from the thread's block.
    static COUNTS: Cell<*const AtomicU64> = const { Cell::new(SINK.as_ptr()) };
    static OWNED: Owned = const { Owned(Cell::new(None)) };
}

/// Counts one entry into the block of `guard`. Called by code that LLVM generates.
///
/// LLVM counts no function whose name begins with `__sanitizer_`, or this would call itself.
///
/// # Safety
/// `guard` is a place of the table that [`__sanitizer_cov_trace_pc_guard_init`] has filled.
#[expect(unsafe_code, reason = "LLVM calls it by name, with a raw pointer")]
// SAFETY: the name is reserved for the one who implements the coverage pass's callback: us.
#[cfg_attr(not(fuzzing), unsafe(no_mangle))]
#[cfg_attr(fuzzing, allow(dead_code, reason = "the fuzzer brings its own"))]
unsafe extern "C" fn __sanitizer_cov_trace_pc_guard(guard: *const u32) {
    // SAFETY: LLVM passes the address of a guard; it holds 0 or a number below `BLOCKS_MAX`, and
    // every array that `COUNTS` may point to has at least as many places as there are numbers.
    let place = unsafe { &*COUNTS.get().add(*guard as usize) };
    // A thread's histogram is its own, so load and store suffice: they become one `inc`.
    place.store(place.load(Relaxed).wrapping_add(1), Relaxed);
}

/// Numbers the guards from `begin` to `end`. Called before `main`: no allocation, no locks.
///
/// # Safety
/// Both bound the one array of guards of this program.
#[expect(unsafe_code, reason = "LLVM calls it by name, with raw pointers")]
// SAFETY: as above.
#[cfg_attr(not(fuzzing), unsafe(no_mangle))]
#[cfg_attr(fuzzing, allow(dead_code, reason = "the fuzzer brings its own"))]
unsafe extern "C" fn __sanitizer_cov_trace_pc_guard_init(begin: *mut u32, end: *mut u32) {
    // The constructor of every module passes the same array: the first one fills it.
    if begin == end || !GUARDS.load(Relaxed).is_null() {
        return;
    }
    // SAFETY: both bound one array, and nobody else touches it before `main`.
    let guards = unsafe { slice::from_raw_parts_mut(begin, end.offset_from(begin) as usize) };
    for guard in guards.iter_mut() {
        *guard = NEXT.fetch_add(1, Relaxed).min(BLOCKS_MAX as u32 - 1);
    }
    N_GUARDS.store(guards.len(), Relaxed);
    GUARDS.store(begin, Relaxed);
}

/// Keeps the table of blocks from `begin` to `end`. Called before `main`.
///
/// # Safety
/// Both bound the one table of blocks of this program.
#[expect(unsafe_code, reason = "LLVM calls it by name, with raw pointers")]
// SAFETY: as above.
#[cfg_attr(not(fuzzing), unsafe(no_mangle))]
#[cfg_attr(fuzzing, allow(dead_code, reason = "the fuzzer brings its own"))]
unsafe extern "C" fn __sanitizer_cov_pcs_init(begin: *const [usize; 2], end: *const [usize; 2]) {
    if begin == end || !TABLE.load(Relaxed).is_null() {
        return;
    }
    // SAFETY: both bound one array.
    TABLE_LEN.store(unsafe { end.offset_from(begin) } as usize, Relaxed);
    TABLE.store(begin.cast_mut(), Relaxed);
}

/// How many blocks this program counts; 0 where it was built without.
pub(crate) fn n_blocks() -> usize {
    N_GUARDS.load(Relaxed)
}

/// Every counted block, in the order of the guards; empty where the table does not fit the guards.
pub(crate) fn blocks() -> Vec<Block> {
    const IS_ENTRY: usize = 1;
    let table = TABLE.load(Relaxed);
    if table.is_null() || TABLE_LEN.load(Relaxed) != n_blocks() {
        return Vec::new();
    }
    #[expect(unsafe_code, reason = "the table is the linker's")]
    // SAFETY: the pair was stored together before `main`; the linker's table is never written.
    let table = unsafe { slice::from_raw_parts(table, TABLE_LEN.load(Relaxed)) };
    table
        .iter()
        .map(|&[address, flags]| Block { address, is_entry: flags & IS_ENTRY != 0 })
        .collect()
}

/// The addresses of the guards, by which a block's code can be told.
pub(crate) fn guard_addresses() -> std::ops::Range<usize> {
    let begin = GUARDS.load(Relaxed) as usize;
    begin..begin + 4 * n_blocks()
}

/// Where `COUNTS` lies, from the thread pointer: the code that updates a count names it.
#[cfg(target_arch = "x86_64")]
pub(crate) fn counts_offset() -> i64 {
    let thread_pointer: usize;
    #[expect(unsafe_code, reason = "the thread pointer has no safe name")]
    // SAFETY: by the ABI of x86-64 the word at fs:0 holds the thread pointer; it is only read.
    unsafe {
        std::arch::asm!("mov {}, fs:[0]", out(reg) thread_pointer, options(nostack, readonly));
    }
    let counts = COUNTS.with(|counts| ptr::from_ref(counts) as usize);
    counts.wrapping_sub(thread_pointer).cast_signed() as i64
}

/// Makes this thread's histograms, so that [`begin`] need not.
pub(crate) fn prepare() {
    owned();
}

/// From here on this thread counts for a request.
pub(crate) fn begin() {
    COUNTS.set(owned().active.as_ptr());
}

/// Counts for nobody until the result is given to [`resume`].
pub(crate) fn pause() -> Paused {
    Paused(COUNTS.replace(SINK.as_ptr()))
}

/// Counts again for whom this thread counted before [`pause`].
pub(crate) fn resume(Paused(counts): Paused) {
    COUNTS.set(counts);
}

/// Ends what [`begin`] began: what was counted since. The histogram is empty again.
pub(crate) fn end(weights: &Weights) -> Counts {
    let pair = owned();
    COUNTS.set(pair.idle.as_ptr());
    let places = pair.active.as_ptr().cast::<u64>().cast_mut();
    #[expect(unsafe_code, reason = "plain accesses, unlike atomic ones, are done eight at a time")]
    // SAFETY: an atomic has the layout of its integer and allows writes through a shared reference.
    // The histogram is this thread's own, and since the store above nothing on this thread counts
    // into it; the reference ends with this function.
    let places = unsafe { slice::from_raw_parts_mut(places, pair.active.len()) };
    let mut sum = Sum::default();
    for (line, worths) in places.chunks_exact_mut(LINE).zip(weights.lines()) {
        // Most lines are untouched.
        if line.iter().fold(0, |any, count| any | count) == 0 {
            continue;
        }
        for (count, worth) in line.iter_mut().zip(worths) {
            sum.add(*count, *worth);
            *count = 0;
        }
    }
    sum.counts()
}

/// This thread's histograms, made or taken from the pool at the first call.
fn owned() -> Pair {
    OWNED.with(|owned| {
        owned.0.get().unwrap_or_else(|| {
            let pooled = POOL.lock().pop();
            let pair = pooled.unwrap_or_else(Pair::new);
            owned.0.set(Some(pair));
            pair
        })
    })
}

// === impl Pair ===

impl Pair {
    /// Two empty histograms. They live as long as the program: a thread that ends leaves them to
    /// the next one, so there are as many as there ever were metered threads at once.
    fn new() -> Pair {
        let places = (NEXT.load(Relaxed) as usize).min(BLOCKS_MAX).next_multiple_of(LINE);
        let empty = || &*Box::leak((0..places).map(|_| AtomicU64::new(0)).collect());
        Pair { active: empty(), idle: empty() }
    }
}

// === impl Owned ===

impl Drop for Owned {
    fn drop(&mut self) {
        // What the thread still runs while it ends must not count into what it gives back.
        COUNTS.set(SINK.as_ptr());
        if let Some(pair) = self.0.take() {
            POOL.lock().push(pair);
        }
    }
}
