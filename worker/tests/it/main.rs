//! A worker through its public interface: its operations called, and over sockets as its clients see
//! it, on a port of its own.

mod client;
mod data;
mod fixture;
mod reference;

mod answers;
mod bodies;
mod concurrency;
mod drain;
mod http2;
mod operations;
mod refusals;
mod report;
mod scripts;

use weighbridge_instrument::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;
