//! Bytes that a thread allocated, and where they come from.

mod by_size;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint;
use std::sync::OnceLock;

pub use by_size::BySize;

/// An allocator, and per thread the number of bytes asked of it.
///
/// A reallocation counts by what it adds. Nothing is taken off for what is given back: the number
/// says how much memory the request turned over.
#[derive(Debug, Default, Clone, Copy)]
pub struct CountingAllocator<A = System>(pub A);

thread_local! {
    // Initialised by a constant and without a destructor: reading it never allocates, and it may be
    // used while the thread ends.
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

/// Bytes that this thread has allocated since it began, modulo 2^64; `None` where the program's
/// allocator is not the [`CountingAllocator`].
pub(crate) fn bytes_allocated() -> Option<u64> {
    static COUNTS: OnceLock<bool> = OnceLock::new();
    let counts = *COUNTS.get_or_init(|| {
        let before = BYTES.get();
        drop(hint::black_box(Box::new(0_u64)));
        BYTES.get() != before
    });
    counts.then(|| BYTES.get())
}

/// What this thread has allocated, for [`set_bytes`].
pub(crate) fn bytes() -> u64 {
    BYTES.get()
}

/// Forgets what this thread has allocated since it had allocated `bytes`.
pub(crate) fn set_bytes(bytes: u64) {
    BYTES.set(bytes);
}

/// Makes the allocator keep the memory that it once had, so that equal requests take equal time.
///
/// By default glibc maps each large buffer and unmaps it after use: the page faults cost CPU time
/// that no count of instructions explains. To be called once, before requests run. Does nothing
/// where the C library is another one.
pub fn prepare_allocator() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Freed memory at the top of the heap beyond which it goes back to the system.
        const TRIM_THRESHOLD_BYTES: libc::c_int = 1 << 30;
        /// By how much the heap grows beyond what was asked for.
        const TOP_PAD_BYTES: libc::c_int = 16 << 20;

        #[expect(unsafe_code, reason = "mallopt has no safe binding")]
        // SAFETY: `mallopt` takes two integers and locks the heap itself. Where it refuses a value
        // it changes nothing, and requests are merely harder to predict.
        unsafe {
            libc::mallopt(libc::M_MMAP_MAX, 0);
            libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES);
            libc::mallopt(libc::M_TOP_PAD, TOP_PAD_BYTES);
        }
    }
}

#[inline]
fn count(bytes: usize) {
    BYTES.set(BYTES.get().wrapping_add(bytes as u64));
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait")]
// SAFETY: every call is passed on to the allocator as it came; counting neither allocates nor
// unwinds.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountingAllocator<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { self.0.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { self.0.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count(bytes.saturating_sub(layout.size()));
        // SAFETY: the caller's promise, passed on.
        unsafe { self.0.realloc(block, layout, bytes) }
    }
}
