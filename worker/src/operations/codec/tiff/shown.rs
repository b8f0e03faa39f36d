//! A file as the `tiff` crate is shown it.

use std::borrow::Cow;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom};

use weighbridge_instrument::checkpoint;

use super::compressed::Chunk;
use crate::operations::OperationError;

/// The tag that says what the samples mean.
const PHOTOMETRIC: u16 = 262;

/// Its value where they are plain numbers.
const BLACK_IS_ZERO: u16 = 1;

/// A file whose samples seem to be plain numbers.
pub(super) struct Shown<'a> {
    bytes: Cow<'a, [u8]>,
    at: usize,
    /// Where the value of [`PHOTOMETRIC`] is, and its bytes.
    value_at: usize,
    value: [u8; 2],
    photometric: u16,
}

// === impl Shown ===

impl<'a> Shown<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> io::Result<Shown<'a>> {
        Shown::of(Cow::Borrowed(bytes))
    }

    /// The file with the bits of each byte of `chunks` in the opposite order.
    pub(super) fn reversed(
        bytes: &'a [u8],
        chunks: &[Chunk<'_>],
    ) -> Result<Shown<'a>, OperationError> {
        let mut reversed = bytes.to_vec();
        for chunk in chunks {
            checkpoint()?;
            let range = chunk.start..chunk.start + chunk.bytes.len();
            for (to, &byte) in reversed[range].iter_mut().zip(chunk.bytes) {
                *to = byte.reverse_bits();
            }
        }
        Shown::of(Cow::Owned(reversed)).map_err(|error| super::error(error.into()))
    }

    fn of(bytes: Cow<'a, [u8]>) -> io::Result<Shown<'a>> {
        let order = Order::of(&bytes)?;
        let value_at = order.find(&bytes, PHOTOMETRIC)?;
        let photometric = order.short(&bytes, value_at)?;
        let value = match order {
            Order { little: true, .. } => BLACK_IS_ZERO.to_le_bytes(),
            Order { little: false, .. } => BLACK_IS_ZERO.to_be_bytes(),
        };
        Ok(Shown { bytes, at: 0, value_at, value, photometric })
    }

    /// What the samples mean in the original file.
    pub(super) fn photometric(&self) -> u16 {
        self.photometric
    }
}

impl Read for Shown<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.bytes.get(self.at..).unwrap_or_default();
        let n = from.len().min(to.len());
        to[..n].copy_from_slice(&from[..n]);
        for (at, byte) in (self.value_at..).zip(self.value) {
            if let Some(to) = at.checked_sub(self.at).and_then(|at| to[..n].get_mut(at)) {
                *to = byte;
            }
        }
        self.at += n;
        Ok(n)
    }
}

impl Seek for Shown<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut cursor = Cursor::new(&self.bytes[..]);
        cursor.set_position(self.at as u64);
        let at = cursor.seek(to)?;
        self.at = usize::try_from(at).map_err(|_| ErrorKind::InvalidInput)?;
        Ok(at)
    }
}

/// The order of bytes, and the size of offsets.
#[derive(Debug, Clone, Copy)]
struct Order {
    little: bool,
    big_tiff: bool,
}

// === impl Order ===

impl Order {
    fn of(bytes: &[u8]) -> io::Result<Order> {
        match bytes {
            [b'I', b'I', 42, 0, ..] => Ok(Order { little: true, big_tiff: false }),
            [b'I', b'I', 43, 0, ..] => Ok(Order { little: true, big_tiff: true }),
            [b'M', b'M', 0, 42, ..] => Ok(Order { little: false, big_tiff: false }),
            [b'M', b'M', 0, 43, ..] => Ok(Order { little: false, big_tiff: true }),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }

    /// Where the value of `tag` is, in the first directory.
    fn find(self, bytes: &[u8], tag: u16) -> io::Result<usize> {
        let (offset_at, count_bytes, entry_bytes, value_at) =
            if self.big_tiff { (8, 8, 20, 12) } else { (4, 2, 12, 8) };
        let directory = self.number(bytes, offset_at, if self.big_tiff { 8 } else { 4 })?;
        let count = self.number(bytes, directory, count_bytes)?;
        for i in 0..count {
            let entry = directory.saturating_add(count_bytes + entry_bytes * i);
            if self.short(bytes, entry)? == tag {
                return Ok(entry + value_at);
            }
        }
        Err(io::Error::new(ErrorKind::InvalidData, "there is no photometric interpretation"))
    }

    fn short(self, bytes: &[u8], at: usize) -> io::Result<u16> {
        Ok(self.number(bytes, at, 2)? as u16)
    }

    /// A number of `n` bytes.
    fn number(self, bytes: &[u8], at: usize, n: usize) -> io::Result<usize> {
        let end = at.checked_add(n).ok_or(ErrorKind::InvalidData)?;
        let bytes = bytes.get(at..end).ok_or(ErrorKind::UnexpectedEof)?;
        let fold = |all: u64, byte: &u8| all << 8 | u64::from(*byte);
        let number =
            if self.little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) };
        usize::try_from(number).map_err(|_| ErrorKind::InvalidData.into())
    }
}
