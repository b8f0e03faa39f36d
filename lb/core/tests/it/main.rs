//! Integration tests of the core, through its public interface.

#[cfg(test)]
mod accuracy;
#[cfg(test)]
mod auto;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod learning;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod seeds;
