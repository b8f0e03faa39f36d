//! Integration tests of the core, through its public interface.

#[cfg(test)]
mod accuracy;
#[cfg(test)]
mod truth;
