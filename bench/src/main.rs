//! Weighbridge.
fn main() {}
