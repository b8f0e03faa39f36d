//! Writes files of any layout, from coefficients that mean nothing.
//!
//! The same coefficients can be written in any number of scans, with or without restarts, at once
//! or bit by bit: the pixels are the same.

/// Coefficients of 8 by 8 samples, in the order of the file.
type Block = [i16; 64];

/// What an image consists of.
pub(crate) struct Picture {
    size: (usize, usize),
    /// Sampling factors of each component.
    sampling: Vec<(usize, usize)>,
    components: Vec<Vec<Block>>,
    pub(crate) progressive: bool,
    /// Names of the components.
    pub(crate) ids: Vec<u8>,
    /// What stands between the beginning and the tables.
    pub(crate) applications: Vec<u8>,
}

/// A scan.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) components: Vec<usize>,
    /// The first and last coefficient.
    pub(crate) band: (usize, usize),
    /// Bits that were left before, and that are left now.
    pub(crate) bits: (u8, u8),
    /// Units between restarts.
    pub(crate) restart: usize,
}

/// What makes a file a JFIF file.
pub(crate) const JFIF: &[u8] = b"\xFF\xE0\0\x10JFIF\0\x01\x02\0\0\x01\0\x01\0\0";

/// Adobe's marker with a transform.
pub(crate) fn adobe(transform: u8) -> Vec<u8> {
    [&b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0"[..], &[transform]].concat()
}

/// A segment with its marker and its length.
pub(crate) fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16 + 2).to_be_bytes();
    [&[0xFF, marker][..], &length, payload].concat()
}

// === impl Picture ===

impl Picture {
    pub(crate) fn new(
        seed: u32,
        size: (usize, usize),
        sampling: &[(usize, usize)],
        amplitude: i32,
    ) -> Picture {
        let mut picture = Picture {
            size,
            sampling: sampling.to_vec(),
            components: Vec::new(),
            progressive: false,
            ids: (1..=sampling.len() as u8).collect(),
            applications: JFIF.to_vec(),
        };
        let mut numbers = Numbers(seed);
        for i in 0..sampling.len() {
            let (columns, rows) = picture.all_blocks(i);
            let blocks = (0..columns * rows).map(|_| numbers.block(amplitude)).collect();
            picture.components.push(blocks);
        }
        picture
    }

    fn most(&self) -> (usize, usize) {
        let wide = self.sampling.iter().map(|sampling| sampling.0).max();
        let high = self.sampling.iter().map(|sampling| sampling.1).max();
        (wide.unwrap(), high.unwrap())
    }

    fn units(&self) -> (usize, usize) {
        let most = self.most();
        (self.size.0.div_ceil(8 * most.0), self.size.1.div_ceil(8 * most.1))
    }

    /// Columns and rows of blocks up to full units.
    fn all_blocks(&self, i: usize) -> (usize, usize) {
        let (units, sampling) = (self.units(), self.sampling[i]);
        (units.0 * sampling.0, units.1 * sampling.1)
    }

    /// Columns and rows of blocks that hold samples.
    fn own_blocks(&self, i: usize) -> (usize, usize) {
        let (most, sampling) = (self.most(), self.sampling[i]);
        let side = |size: usize, sampling: usize, most: usize| {
            (size * sampling).div_ceil(most).div_ceil(8)
        };
        (side(self.size.0, sampling.0, most.0), side(self.size.1, sampling.1, most.1))
    }

    /// The blocks of each unit of a scan: component by component, by place in the scan.
    fn scan_units(&self, components: &[usize]) -> Vec<Vec<(usize, &Block)>> {
        let mut units = Vec::new();
        if let [i] = *components {
            let (columns, rows) = self.own_blocks(i);
            let stride = self.all_blocks(i).0;
            for y in 0..rows {
                for x in 0..columns {
                    units.push(vec![(0, &self.components[i][y * stride + x])]);
                }
            }
            return units;
        }
        let (columns, rows) = self.units();
        for unit in 0..columns * rows {
            let (column, row) = (unit % columns, unit / columns);
            let mut blocks = Vec::new();
            for (place, &i) in components.iter().enumerate() {
                let (wide, high) = self.sampling[i];
                let stride = self.all_blocks(i).0;
                for block in 0..wide * high {
                    let (x, y) = (column * wide + block % wide, row * high + block / wide);
                    blocks.push((place, &self.components[i][y * stride + x]));
                }
            }
            units.push(blocks);
        }
        units
    }

    /// The header, with the tables.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut file = [&[0xFF, 0xD8][..], &self.applications].concat();
        for table in 0..2 {
            let divisors = (0..64_u8).map(|i| 1 + i.wrapping_mul(7).wrapping_add(table * 3) % 11);
            file.extend(segment(0xDB, &[table].into_iter().chain(divisors).collect::<Vec<u8>>()));
        }
        let (width, height) = (self.size.0 as u16, self.size.1 as u16);
        let mut frame = vec![8];
        frame.extend(height.to_be_bytes());
        frame.extend(width.to_be_bytes());
        frame.push(self.sampling.len() as u8);
        for (i, &(wide, high)) in self.sampling.iter().enumerate() {
            frame.extend([self.ids[i], (wide << 4 | high) as u8, i.min(1) as u8]);
        }
        file.extend(segment(if self.progressive { 0xC2 } else { 0xC0 }, &frame));
        file.extend(huffman_tables());
        file
    }

    /// A scan, with what defines its restarts.
    pub(crate) fn scan(&self, script: &Script) -> Vec<u8> {
        let mut file = segment(0xDD, &(script.restart as u16).to_be_bytes());
        let n = script.components.len();
        let mut head = vec![n as u8];
        script.components.iter().for_each(|&i| head.extend([self.ids[i], 0]));
        let (band, bits) = (script.band, script.bits);
        head.extend([band.0 as u8, band.1 as u8, bits.0 << 4 | bits.1]);
        file.extend(segment(0xDA, &head));
        let mut coder = Coder::default();
        for (n, unit) in self.scan_units(&script.components).into_iter().enumerate() {
            if script.restart != 0 && n != 0 && n.is_multiple_of(script.restart) {
                file.extend(coder.finish());
                file.extend([0xFF, 0xD0 + ((n / script.restart - 1) % 8) as u8]);
                coder = Coder::default();
            }
            for (place, block) in unit {
                match (self.progressive, script.band.0, script.bits) {
                    (false, ..) => coder.sequential(place, block),
                    (true, 0, (0, left)) => coder.first(place, block[0] >> left),
                    (true, 0, (_, left)) => coder.bits.put(u32::from(block[0] >> left & 1 != 0), 1),
                    (true, _, (0, left)) => coder.band(&block[band.0..=band.1], left),
                    (true, _, (_, left)) => coder.refine(&block[band.0..=band.1], left),
                }
            }
        }
        file.extend(coder.finish());
        file
    }

    /// A whole file.
    pub(crate) fn file(&self, scripts: &[Script]) -> Vec<u8> {
        let scans = scripts.iter().flat_map(|script| self.scan(script));
        self.head().into_iter().chain(scans).chain([0xFF, 0xD9]).collect()
    }
}

// === impl Script ===

impl Script {
    /// Scans of everything, for groups of components.
    pub(crate) fn sequential(groups: &[&[usize]], restart: usize) -> Vec<Script> {
        let script = |group: &&[usize]| Script {
            components: group.to_vec(),
            band: (0, 63),
            bits: (0, 0),
            restart,
        };
        groups.iter().map(script).collect()
    }

    /// Scans bit by bit, as many programs have them: `groups` for the first coefficients.
    pub(crate) fn progressive(groups: &[&[usize]], restart: usize) -> Vec<Script> {
        const STEPS: [((usize, usize), (u8, u8)); 6] = [
            ((0, 0), (0, 1)),
            ((1, 5), (0, 2)),
            ((6, 63), (0, 2)),
            ((1, 63), (2, 1)),
            ((0, 0), (1, 0)),
            ((1, 63), (1, 0)),
        ];
        let n = groups.iter().map(|group| group.len()).sum();
        let mut scripts = Vec::new();
        for (band, bits) in STEPS {
            let mut groups: Vec<Vec<usize>> = groups.iter().map(|group| group.to_vec()).collect();
            if band.0 != 0 {
                groups = (0..n).map(|i| vec![i]).collect();
            }
            let script = |components| Script { components, band, bits, restart };
            scripts.extend(groups.into_iter().map(script));
        }
        scripts
    }
}

/// Numbers that look random.
struct Numbers(u32);

impl Numbers {
    /// The next one, from `-most` to `most`.
    fn next(&mut self, most: i32) -> i32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((self.0 >> 8).cast_signed() % (2 * most + 1)) - most
    }

    fn block(&mut self, amplitude: i32) -> Block {
        let mut block = [0; 64];
        block[0] = (self.next(50) + self.next(50)) as i16;
        for k in 1..64 {
            let is_there = if k < 20 { 1 } else { 3 };
            if self.next(3 * is_there) == 0 {
                block[k as usize] = self.next(amplitude) as i16;
            }
        }
        block
    }
}

/// Bits to bytes.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    last: u64,
    n: u32,
}

impl Bits {
    fn put(&mut self, bits: u32, n: u32) {
        self.last = self.last << n | u64::from(bits & ((1 << n) - 1));
        self.n += n;
        while 8 <= self.n {
            self.n -= 8;
            let byte = (self.last >> self.n) as u8;
            self.bytes.push(byte);
            if byte == 0xFF {
                self.bytes.push(0);
            }
        }
    }
}

/// 16 codes of 5 bits; 254 codes of 8 bits and two of 9.
fn huffman_tables() -> Vec<u8> {
    let mut dc = vec![0x00];
    dc.extend([0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    dc.extend(0..16);
    let mut ac = vec![0x10];
    ac.extend([0, 0, 0, 0, 0, 0, 0, 254, 2, 0, 0, 0, 0, 0, 0, 0]);
    ac.extend(0..=255);
    [segment(0xC4, &dc), segment(0xC4, &ac)].concat()
}

/// The size of a number, and its bits.
fn number(number: i16) -> (u32, u32) {
    let size = u32::BITS - u32::from(number.unsigned_abs()).leading_zeros();
    (size, i32::from(number - i16::from(number < 0)).cast_unsigned())
}

/// Coefficients to bits.
#[derive(Default)]
struct Coder {
    bits: Bits,
    predictions: [i16; 4],
    /// Blocks that are empty from here on, and the bits of what was there before.
    empty: u32,
    corrections: Vec<u32>,
}

impl Coder {
    fn symbol(&mut self, run: usize, size: u32) {
        let symbol = (run as u32) << 4 | size;
        match symbol.checked_sub(254) {
            None => self.bits.put(symbol, 8),
            Some(last) => self.bits.put(508 + last, 9),
        }
    }

    fn first(&mut self, place: usize, value: i16) {
        let (size, bits) = number(value - self.predictions[place]);
        self.predictions[place] = value;
        self.bits.put(size, 5);
        self.bits.put(bits, size);
    }

    /// Zeros and a number.
    fn after(&mut self, run: &mut usize, value: i16) {
        while 15 < *run {
            self.symbol(15, 0);
            *run -= 16;
        }
        let (size, bits) = number(value);
        self.symbol(*run, size);
        self.bits.put(bits, size);
        *run = 0;
    }

    fn sequential(&mut self, place: usize, block: &Block) {
        self.first(place, block[0]);
        let mut run = 0;
        for &value in &block[1..] {
            if value == 0 {
                run += 1;
            } else {
                self.after(&mut run, value);
            }
        }
        if run != 0 {
            self.symbol(0, 0);
        }
    }

    /// The upper bits of a band.
    fn band(&mut self, band: &[i16], left: u8) {
        let mut run = 0;
        for &value in band {
            let value = (value.abs() >> left) * value.signum();
            if value == 0 {
                run += 1;
                continue;
            }
            self.end_of_bands();
            self.after(&mut run, value);
        }
        if run != 0 {
            self.empty += 1;
        }
    }

    /// The next bit of a band.
    fn refine(&mut self, band: &[i16], left: u8) {
        let sizes: Vec<i16> = band.iter().map(|value| value.abs() >> left).collect();
        let last = sizes.iter().rposition(|&size| size == 1);
        let (mut run, mut corrections) = (0, Vec::new());
        for (k, &size) in sizes.iter().enumerate() {
            if size == 0 {
                run += 1;
                continue;
            }
            while 15 < run && last.is_some_and(|last| k <= last) {
                self.end_of_bands();
                self.symbol(15, 0);
                corrections.drain(..).for_each(|bit| self.bits.put(bit, 1));
                run -= 16;
            }
            if 1 < size {
                corrections.push(u32::from(size & 1 != 0));
                continue;
            }
            self.end_of_bands();
            self.symbol(run, 1);
            self.bits.put(u32::from(0 < band[k]), 1);
            corrections.drain(..).for_each(|bit| self.bits.put(bit, 1));
            run = 0;
        }
        if run != 0 || !corrections.is_empty() {
            self.empty += 1;
            self.corrections.extend(corrections);
        }
    }

    fn end_of_bands(&mut self) {
        if self.empty != 0 {
            let size = self.empty.ilog2();
            self.symbol(size as usize, 0);
            self.bits.put(self.empty - (1 << size), size);
        }
        for bit in std::mem::take(&mut self.corrections) {
            self.bits.put(bit, 1);
        }
        self.empty = 0;
    }

    fn finish(&mut self) -> Vec<u8> {
        self.end_of_bands();
        let filling = (8 - self.bits.n % 8) % 8;
        self.bits.put(0xFF, filling);
        std::mem::take(&mut self.bits.bytes)
    }
}
