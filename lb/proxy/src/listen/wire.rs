//! What comes from a client by HTTP/1, followed byte by byte beside the parser: whether a head has
//! begun and not ended, whether it is too long, whether chunks are what RFC 9112 says.
//!
//! The parser that we have takes an empty line for the size of the last chunk, and all that follows
//! for the next request, which is how requests are smuggled. What is wrong does not reach it: bytes
//! are taken up to where the mistake begins, and none after it. It decides nothing else: where a
//! body ends, the parser says, and both read the same lengths (RFC 9112, sections 6 and 7.1).
//!
//! # Decision: chunks are read twice
//!
//! The parser is not ours to change. What reads before it can only refuse, so that a mistake of its
//! own costs a request, and smuggles none. Cost: the bytes of heads and of chunks' sizes are looked
//! at twice. Look again when pingora refuses what is no chunk.

/// The longest line of a head of which the beginning is kept: names and lengths are shorter.
const LINE_KEPT: usize = 1024;

/// The longest line with the size of a chunk, its extensions included.
const SIZE_LINE_MAX: usize = 4 << 10;

/// What extensions of all chunks of a body may add up to.
const EXTENSIONS_MAX: usize = 64 << 10;

/// A chunk's size with its line break, without extensions.
const SIZE_LINE_USUAL: usize = 32;

/// The longest section of trailers, in bytes.
const TRAILERS_MAX: usize = 16 << 10;

/// What is wrong with what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A head is longer than it may be.
    HeadTooLong,
    /// A head has more fields than it may have.
    TooManyFields,
    /// A chunk's size or end is none.
    Chunks,
    /// A trailer is none, or they are too long.
    Trailers,
}

/// The longest head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLimits {
    /// In bytes, as they come.
    pub(crate) bytes_max: usize,
    /// In fields.
    pub(crate) fields_max: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Wire {
    limits: HeadLimits,
    state: State,
    /// The line that has begun, as much of it as matters.
    line: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The head of a request; nothing of it may have come.
    Head(Head),
    /// So many bytes of a body are still to come.
    Length(u64),
    /// The line with a chunk's size: how long it is so far, and all extensions before it.
    Size { line_bytes: usize, extensions: usize },
    /// So many bytes of a chunk are still to come.
    Chunk { left: u64, extensions: usize },
    /// The line break after a chunk: whether its CR has come.
    ChunkEnd { has_cr: bool, extensions: usize },
    /// What follows the last chunk: so many bytes so far.
    Trailers { bytes: usize },
    /// Nothing more is taken.
    Broken(Fault),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Head {
    bytes: usize,
    /// Lines so far; the first is no field.
    lines: usize,
    length: u64,
    is_chunked: bool,
}

impl Wire {
    /// A connection of which nothing has come.
    pub(crate) fn new(limits: HeadLimits) -> Wire {
        Wire { limits, state: State::Head(Head::default()), line: Vec::new() }
    }

    /// Whether a head has begun, and has not ended. Empty lines before one are none of it.
    pub(crate) fn is_in_head(&self) -> bool {
        match self.state {
            State::Head(head) => 0 < head.lines || self.line.iter().any(|byte| *byte != b'\r'),
            _ => false,
        }
    }

    /// Whether all that began has ended, and nothing has come after it.
    pub(crate) fn is_between(&self) -> bool {
        match self.state {
            State::Head(head) => head.bytes == 0,
            _ => false,
        }
    }

    /// What was wrong; nothing is taken after it.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self.state {
            State::Broken(fault) => Some(fault),
            _ => None,
        }
    }

    /// Follows `bytes`, which came after those before. Returns how many of them may be read: all,
    /// or those before what is wrong.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            let rest = &bytes[taken..];
            match self.step(rest) {
                Ok(step) => taken += step,
                Err((fault, good)) => {
                    self.state = State::Broken(fault);
                    return taken + good;
                }
            }
        }
        taken
    }

    /// Follows some of `rest`, which is not empty: one at least. `Err`: what is wrong, and how many
    /// are good before it.
    fn step(&mut self, rest: &[u8]) -> Result<usize, (Fault, usize)> {
        match self.state {
            State::Head(head) => self.head(head, rest),
            State::Length(left) => {
                let (step, left) = skip(rest, left);
                self.state = if left == 0 { fresh() } else { State::Length(left) };
                Ok(step)
            }
            State::Size { line_bytes, extensions } => self.size(rest, (line_bytes, extensions)),
            State::Chunk { left, extensions } => {
                let (step, left) = skip(rest, left);
                self.state = match left {
                    0 => State::ChunkEnd { has_cr: false, extensions },
                    _ => State::Chunk { left, extensions },
                };
                Ok(step)
            }
            State::ChunkEnd { has_cr, extensions } => {
                self.state = match (has_cr, rest[0]) {
                    (false, b'\r') => State::ChunkEnd { has_cr: true, extensions },
                    (true, b'\n') => self.next_size(extensions),
                    _ => return Err((Fault::Chunks, 0)),
                };
                Ok(1)
            }
            State::Trailers { bytes } => self.trailer(rest, bytes),
            State::Broken(fault) => Err((fault, 0)),
        }
    }

    /// Goes on to the end of a line of a head.
    fn head(&mut self, mut head: Head, rest: &[u8]) -> Result<usize, (Fault, usize)> {
        let (line, ends) = to_line_end(rest);
        let room = self.limits.bytes_max - head.bytes;
        if room < line.len() {
            return Err((Fault::HeadTooLong, room));
        }
        head.bytes += line.len();
        let kept = LINE_KEPT.saturating_sub(self.line.len()).min(line.len());
        self.line.extend_from_slice(&line[..kept]);
        if ends {
            let line_break = self.line.iter().rposition(|byte| !b"\r\n".contains(byte));
            self.line.truncate(line_break.map_or(0, |last| last + 1));
            match (self.line.is_empty(), head.lines) {
                // Empty lines before a request are skipped (RFC 9112, section 2.2).
                (true, 0) => {}
                (true, _) => {
                    self.line.clear();
                    self.state = head.body();
                    return Ok(line.len());
                }
                (false, n_fields) if self.limits.fields_max < n_fields => {
                    return Err((Fault::TooManyFields, line.len() - 1));
                }
                (false, n_fields) => {
                    if n_fields != 0 {
                        head.field(&self.line);
                    }
                    head.lines += 1;
                }
            }
            self.line.clear();
        }
        self.state = State::Head(head);
        Ok(line.len())
    }

    /// Goes on to the end of the line with a chunk's size.
    fn size(
        &mut self,
        rest: &[u8],
        (line_bytes, extensions): (usize, usize),
    ) -> Result<usize, (Fault, usize)> {
        let (line, ends) = to_line_end(rest);
        self.line.extend_from_slice(&line[..line.len().min(SIZE_LINE_MAX)]);
        let line_bytes = line_bytes + line.len();
        let is_wrong = SIZE_LINE_MAX < line_bytes || !begins_a_size(&self.line);
        if is_wrong {
            return Err((Fault::Chunks, 0));
        }
        if !ends {
            self.state = State::Size { line_bytes, extensions };
            return Ok(line.len());
        }
        let extensions = extensions + line_bytes.saturating_sub(SIZE_LINE_USUAL);
        let size = chunk_size(&self.line).filter(|_| extensions <= EXTENSIONS_MAX);
        self.line.clear();
        self.state = match size {
            None => return Err((Fault::Chunks, 0)),
            Some(0) => State::Trailers { bytes: 0 },
            Some(left) => State::Chunk { left, extensions },
        };
        Ok(line.len())
    }

    /// Goes on to the end of a line after the last chunk.
    fn trailer(&mut self, rest: &[u8], bytes: usize) -> Result<usize, (Fault, usize)> {
        let (line, ends) = to_line_end(rest);
        let bytes = bytes + line.len();
        if TRAILERS_MAX < bytes {
            return Err((Fault::Trailers, 0));
        }
        self.line.extend_from_slice(line);
        if ends {
            match self.line.strip_suffix(b"\r\n") {
                Some([]) => self.state = fresh(),
                Some(field) if is_field(field) => self.state = State::Trailers { bytes },
                Some(_) | None => return Err((Fault::Trailers, 0)),
            }
            self.line.clear();
        } else {
            self.state = State::Trailers { bytes };
        }
        Ok(line.len())
    }

    fn next_size(&mut self, extensions: usize) -> State {
        self.line.clear();
        State::Size { line_bytes: 0, extensions }
    }
}

impl Head {
    /// Notes what the field says of the body.
    fn field(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            self.is_chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let first = value.split(|byte| *byte == b',').next().unwrap_or_default();
            let digits = str::from_utf8(first.trim_ascii()).ok();
            self.length = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
        }
    }

    /// What follows it. Chunks go before a length.
    fn body(self) -> State {
        if self.is_chunked {
            State::Size { line_bytes: 0, extensions: 0 }
        } else if 0 < self.length {
            State::Length(self.length)
        } else {
            fresh()
        }
    }
}

/// A request that has not begun.
fn fresh() -> State {
    State::Head(Head::default())
}

/// How many of `rest` belong to the next `left` bytes, and how many are left then.
fn skip(rest: &[u8], left: u64) -> (usize, u64) {
    let step = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
    (step, left - step as u64)
}

/// `rest` up to the end of its first line, and whether it ends there.
fn to_line_end(rest: &[u8]) -> (&[u8], bool) {
    match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&rest[..=end], true),
        None => (rest, false),
    }
}

/// Whether `line`, which may go on, can be one with a chunk's size: hexadecimal digits first, and
/// no line break but at its end.
fn begins_a_size(line: &[u8]) -> bool {
    let n_digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if n_digits == 0 || 16 < n_digits {
        return false;
    }
    let rest = &line[n_digits..];
    let n_blanks = rest.iter().take_while(|byte| b" \t".contains(byte)).count();
    match &rest[n_blanks..] {
        [] | [b'\r'] | [b'\r', b'\n'] => true,
        [b';', extensions @ ..] => {
            let end = extensions.iter().position(|byte| *byte == b'\r');
            let (extensions, end) = extensions.split_at(end.unwrap_or(extensions.len()));
            extensions.iter().all(|byte| is_text(*byte)) && b"\r\n".starts_with(end)
        }
        _ => false,
    }
}

/// The size in `line`, which ends in a line break; `None` where it is no size.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let n_digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let digits = str::from_utf8(&line[..n_digits]).ok()?;
    let size = u64::from_str_radix(digits, 16).ok()?;
    (begins_a_size(line) && line.ends_with(b"\r\n")).then_some(size)
}

/// Whether `line` is a field: a name, a colon, a value (RFC 9110, section 5).
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return false };
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    0 < colon && name.iter().all(is_of_name) && value.iter().all(|byte| is_text(*byte))
}

/// Whether it may stand in a value: no control character but the tab.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (b' ' <= byte && byte != 0x7f)
}

#[cfg(test)]
mod tests;
