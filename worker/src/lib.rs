//! The operations, their run queue and their HTTP front.

pub mod operations;
