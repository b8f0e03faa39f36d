//! `bare-pingora-mimalloc`: the bare pingora proxy with the allocator that the balancer has, so that
//! what each of them does can be compared without it.

#[path = "bare-pingora.rs"]
mod bare;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    bare::main()
}
