//! Blocks of 8 by 8, and the order of their coefficients in a file.

/// Side of a block.
pub(crate) const SIDE: usize = 8;

/// Coefficients, or what belongs to each of them, in rows.
pub(crate) type Square<T> = [T; SIDE * SIDE];

/// The coefficients of 8 by 8 samples, in rows.
pub(crate) type Block = Square<i16>;

/// Where in a block the coefficients go, in the order of the file. Damaged files count further than
/// to 63; what they have there is put into the last place.
pub(crate) const ZIGZAG: [u8; 80] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63,
];
