//! What counted code looks like from outside. The code counted here is `image`'s.

use std::alloc::System;

use weighbridge_instrument::CountingAllocator;

#[cfg(test)]
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod counting;
#[cfg(test)]
mod wrapper;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator(System);
