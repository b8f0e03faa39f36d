//! The bytes of the running program, as far as they may be read.

use std::fs;
use std::slice;

use iced_x86::{Decoder, DecoderOptions};

use crate::histogram::Block;

/// The program's code, and the constants beside it.
pub(super) struct Code {
    text: &'static [u8],
    constants: Vec<&'static [u8]>,
}

/// One line of `/proc/self/maps`.
struct Mapping<'a> {
    begin: usize,
    end: usize,
    permissions: &'a str,
    file: &'a str,
}

impl Code {
    /// The mapping that holds the code of `blocks`, and those of the same file that are only read.
    pub(super) fn of_this_program(blocks: &[Block]) -> Option<Code> {
        let inside = blocks.iter().map(|block| block.address).find(|address| 1 < *address)?;
        let maps = fs::read_to_string("/proc/self/maps").ok()?;
        let mappings: Vec<Mapping<'_>> = maps.lines().filter_map(Mapping::parse).collect();
        let text = mappings.iter().find(|mapping| {
            mapping.permissions.starts_with("r-x") && (mapping.begin..mapping.end).contains(&inside)
        })?;
        let constants = mappings
            .iter()
            .filter(|mapping| mapping.file == text.file && mapping.permissions.starts_with("r--"))
            .map(Mapping::bytes)
            .collect();
        Some(Code { text: text.bytes(), constants })
    }

    pub(super) fn contains(&self, address: usize) -> bool {
        self.text.as_ptr_range().contains(&(address as *const u8))
    }

    /// The first address of the code.
    pub(super) fn begin(&self) -> usize {
        self.text.as_ptr() as usize
    }

    /// One past the last address of the code.
    pub(super) fn end(&self) -> usize {
        self.text.as_ptr_range().end as usize
    }

    /// Decodes from the first address on.
    pub(super) fn decoder(&self) -> Decoder<'_> {
        Decoder::with_ip(64, self.text, self.begin() as u64, DecoderOptions::NONE)
    }

    /// The signed word at `address`, where a constant may be.
    pub(super) fn word(&self, address: usize) -> Option<i32> {
        self.constants.iter().find_map(|bytes| {
            let offset = address.checked_sub(bytes.as_ptr() as usize)?;
            let word = bytes.get(offset..offset.checked_add(4)?)?;
            Some(i32::from_le_bytes(word.try_into().ok()?))
        })
    }
}

impl<'a> Mapping<'a> {
    /// `55d0-55e0 r-xp 00000000 fe:00 1234    /path/to/file`
    fn parse(line: &'a str) -> Option<Mapping<'a>> {
        let mut words = line.split_whitespace();
        let (begin, end) = words.next()?.split_once('-')?;
        Some(Mapping {
            begin: usize::from_str_radix(begin, 16).ok()?,
            end: usize::from_str_radix(end, 16).ok()?,
            permissions: words.next()?,
            file: words.nth(3)?,
        })
    }

    fn bytes(&self) -> &'static [u8] {
        #[expect(unsafe_code, reason = "a program's own text has no safe name")]
        // SAFETY: the kernel says that this range is mapped and readable. It is of the running
        // program's file and not writable, so it neither changes nor goes away.
        unsafe {
            slice::from_raw_parts(self.begin as *const u8, self.end - self.begin)
        }
    }
}
