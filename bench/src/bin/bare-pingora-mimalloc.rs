//! `bare-pingora-mimalloc`: the bare pingora proxy with the balancer's allocator. Beside it the
//! balancer's cost shows without what the allocators differ by.

#[path = "bare-pingora.rs"]
mod bare;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    bare::main()
}
