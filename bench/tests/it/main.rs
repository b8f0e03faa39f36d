//! The program `weighbridge-bench` against real workers and balancers.

// The image codecs are counted code, here too: this brings what counts them.
use weighbridge_instrument as _;

#[cfg(test)]
mod compare;
#[cfg(test)]
mod load;
#[cfg(test)]
mod program;
