//! One allocator for small blocks, the system's for long ones.
//!
//! # Decision: small blocks come from mimalloc
//!
//! Blocks of up to 32 KiB come from mimalloc, longer ones from glibc. A request allocates dozens of
//! small blocks on its way through the balancer, and mimalloc needs less than half of glibc's
//! instructions for them. Long buffers stay with glibc because it can be told to keep them, so that
//! equal requests take equal time. Cost: two heaps. Look again when glibc's small blocks are as
//! cheap.
//!
//! Beside mimalloc for all blocks, with its usual purging and without (`MIMALLOC_PURGE_DELAY=-1`):
//! estimates are as good (seeds 1 and 3, twice: 4.3, 3.7 and 4.3 % for blur, enhance and raytrace
//! where this has 4.6, 3.9 and 4.4), small pictures cost the same, but blurring twelve pictures of
//! 12 megapixels took 2 to 16 % more CPU, and left a worker with 190 to 264 MiB where this leaves
//! 131 to 135.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;

/// The longest block that counts as small, in bytes.
const SMALL_BYTES_MAX: usize = 32 << 10;

/// Blocks of up to 32 KiB from `S`, longer ones from the system's allocator, which
/// [`prepare_allocator`](crate::prepare_allocator) has told to keep them.
#[derive(Debug, Default, Clone, Copy)]
pub struct BySize<S>(pub S);

fn is_small(bytes: usize) -> bool {
    bytes <= SMALL_BYTES_MAX
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait")]
// SAFETY: who gave a block is told by its length, which whoever gives it back has to say; a block
// that changes sides is allocated anew and copied as far as both go. Nothing here unwinds.
unsafe impl<S: GlobalAlloc> GlobalAlloc for BySize<S> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        unsafe { if is_small(layout.size()) { self.0.alloc(layout) } else { System.alloc(layout) } }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on to where the block is from.
        unsafe {
            if is_small(layout.size()) {
                self.0.dealloc(block, layout);
            } else {
                System.dealloc(block, layout);
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        unsafe {
            if is_small(layout.size()) {
                self.0.alloc_zeroed(layout)
            } else {
                System.alloc_zeroed(layout)
            }
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller's promise, passed on to where the block is from. A new layout is valid
        // as the caller promises that `bytes` is, and the blocks are two.
        unsafe {
            match (is_small(layout.size()), is_small(bytes)) {
                (true, true) => self.0.realloc(block, layout, bytes),
                (false, false) => System.realloc(block, layout, bytes),
                (true, false) | (false, true) => {
                    let new = Layout::from_size_align_unchecked(bytes, layout.align());
                    let moved = self.alloc(new);
                    if !moved.is_null() {
                        ptr::copy_nonoverlapping(block, moved, layout.size().min(bytes));
                        self.dealloc(block, layout);
                    }
                    moved
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_block_stays_when_it_changes_sides() {
        let allocator = BySize(System);
        let small = Layout::array::<u8>(SMALL_BYTES_MAX).unwrap();
        let long = Layout::array::<u8>(SMALL_BYTES_MAX + 1).unwrap();
        #[expect(unsafe_code, reason = "an allocator is an unsafe trait")]
        // SAFETY: each block is given back once, by its last length; what is read was written.
        unsafe {
            let block = allocator.alloc(small);
            block.write_bytes(7, small.size());
            let block = allocator.realloc(block, small, long.size());
            assert_eq!((*block, *block.add(small.size() - 1)), (7, 7));
            block.add(small.size()).write(9);
            let block = allocator.realloc(block, long, 1);
            assert_eq!(*block, 7);
            allocator.dealloc(block, Layout::array::<u8>(1).unwrap());
        }
    }
}
