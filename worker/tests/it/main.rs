//! A worker as its clients see it: over sockets, on a port of its own.

mod client;
mod fixture;

mod answers;
mod bodies;
mod concurrency;
mod drain;
mod http2;
mod refusals;
mod report;
mod scripts;

use weighbridge_instrument::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;
