//! Headers of files of every format.

#[cfg(test)]
mod sizes;
