//! A worker through its public interface: its operations called, and over sockets as its clients
//! see it, on a port of its own.

mod client;
#[cfg(test)]
mod data;
mod fixture;
mod running;
#[cfg(test)]
mod reference;

mod answers;
mod bodies;
mod concurrency;
#[cfg(test)]
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod counting;
mod drain;
#[cfg(test)]
#[cfg(feature = "video")]
mod film;
mod http2;
#[cfg(feature = "models")]
#[cfg(test)]
mod models;
mod order;
#[cfg(test)]
mod operations;
mod refusals;
mod report;
mod scripts;
mod spot;

use std::alloc::System;

use weighbridge_instrument::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator(System);
