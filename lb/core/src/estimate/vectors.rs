//! Sums of products, with several at once.

/// Takes the part along `axis`, of length 1, off `values`. Returns how long it was.
pub(super) fn leave(values: &mut [f64], axis: &[f64]) -> f64 {
    let along = dot(values, axis);
    for (value, axis) in values.iter_mut().zip(axis) {
        *value -= along * axis;
    }
    along
}

/// The squared length.
pub(super) fn square(values: &[f64]) -> f64 {
    dot(values, values)
}

/// The sum of products, in eight parts that are summed up at once.
pub(super) fn dot(one: &[f64], other: &[f64]) -> f64 {
    let mut parts = [0.0; 8];
    let (ones, others) = (one.chunks_exact(8), other.chunks_exact(8));
    let rest: f64 =
        ones.remainder().iter().zip(others.remainder()).map(|(one, other)| one * other).sum();
    for (one, other) in ones.zip(others) {
        for ((part, one), other) in parts.iter_mut().zip(one).zip(other) {
            *part += one * other;
        }
    }
    parts.iter().sum::<f64>() + rest
}
