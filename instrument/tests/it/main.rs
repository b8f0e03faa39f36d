//! What counted code looks like from outside. The code counted here is `image`'s.

use weighbridge_instrument::CountingAllocator;

#[cfg(test)]
mod counting;
#[cfg(test)]
mod wrapper;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;
