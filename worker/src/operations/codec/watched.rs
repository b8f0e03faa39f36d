//! Checkpoints for code that has none of its own: where it reads and where it writes.
//!
//! Decoders read piece by piece. Of the encoders, that of PNG compresses everything before it
//! writes any of it, and that of GIF looks for its palette first: these run long without a
//! checkpoint.

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

use weighbridge_instrument::checkpoint;

/// Bytes that are written between two checkpoints: some encoders write them one by one.
const WRITTEN_BYTES: usize = 1024;

/// A file in memory. Reading or writing it fails once the client is gone.
#[derive(Debug)]
pub(super) struct Watched<T> {
    file: T,
    /// Bytes to be written before the next checkpoint.
    left: usize,
}

impl<T> Watched<T> {
    pub(super) fn new(file: T) -> Watched<T> {
        Watched { file, left: WRITTEN_BYTES }
    }

    pub(super) fn into_inner(self) -> T {
        self.file
    }
}

impl<T: Read> Read for Watched<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        checkpoint().map_err(io::Error::other)?;
        self.file.read(bytes)
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        checkpoint().map_err(io::Error::other)?;
        self.file.read_exact(bytes)
    }

    fn read_to_end(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        self.file.read_to_end(bytes)
    }
}

impl<T: BufRead> BufRead for Watched<T> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        checkpoint().map_err(io::Error::other)?;
        self.file.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.file.consume(bytes);
    }
}

impl<T: Write> Write for Watched<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(left) = self.left.checked_sub(bytes.len()) {
            self.left = left;
        } else {
            self.left = WRITTEN_BYTES;
            checkpoint().map_err(io::Error::other)?;
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl<T: Seek> Seek for Watched<T> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests;
