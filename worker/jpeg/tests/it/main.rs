//! Files of every kind, with the pixels that libjpeg-turbo 3 makes of them.

#[cfg(test)]
mod writer;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod layouts;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod encode;
#[cfg(test)]
mod header;
#[cfg(test)]
mod checkpoints;

#[cfg(test)]
use weighbridge_jpeg::{DecodeError, Image, Limits};

#[cfg(test)]
fn decode(file: &[u8]) -> Result<Image, DecodeError> {
    weighbridge_jpeg::decode(file, &Limits::default(), &mut || Ok(()))
}

/// FNV-1a.
#[cfg(test)]
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
