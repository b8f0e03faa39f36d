//! Tests of the worker through its public interface.

#[cfg(test)]
mod data;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod operations;
