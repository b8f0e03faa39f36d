//! Tests of the core from outside.

#[cfg(test)]
mod policies;
#[cfg(test)]
mod seeds;
