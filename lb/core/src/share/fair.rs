//! Formulas of fairness.

/// Free slots of a host are given to a client that has fewer than so many times as many there.
const SLOTS_FACTOR: u32 = 3;

/// How evenly amounts are shared out: `(Σx)² / (n Σx²)`, from `1 / n` where one has all to 1 where
/// all have as much (Jain, Chiu and Hawe 1984). `None` of nothing.
pub fn jain(amounts: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for amount in amounts {
        n += 1.0;
        sum += amount;
        squares += amount * amount;
    }
    (0.0 < squares).then(|| sum * sum / (n * squares))
}

/// Whether a client that has `own` of a host's slots may have one more of the `free` ones, where no
/// core is free. By a dynamic threshold (Choudhury and Hahne 1998): one client alone gets three
/// quarters of the slots, and those of many are left to share the rest.
pub fn slots_left_to(own: u32, free: u32) -> bool {
    own < SLOTS_FACTOR.saturating_mul(free)
}
