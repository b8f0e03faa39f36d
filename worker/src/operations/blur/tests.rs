//! The blur itself is compared with its definition in `tests/it/operations/images.rs`.

use super::*;

#[test]
fn steps_and_runs_make_the_kernel() {
    let mut rises: Vec<usize> = STEPS.to_vec();
    rises.extend(RUNS.iter().flat_map(|&(first, last)| first..=last));
    for (i, &tap) in TAPS.iter().enumerate() {
        let risen = rises.iter().filter(|&&rise| rise <= i).count();
        let fallen = rises.iter().filter(|&&rise| TAPS.len() - rise <= i).count();
        assert_eq!(usize::from(tap), risen - fallen, "tap {i}");
    }
}

#[test]
fn division_is_exact_around_every_quotient() {
    let mut sums = Sums { run_slopes: [0; LANES], sums: [0; LANES] };
    let mut quotients = [0; LANES];
    for weight in 1..=CUMULATED_TAPS[TAPS.len()] {
        let (divisor, half) = (i32::from(weight), i32::from(weight / 2));
        let edges = (0..=256).flat_map(|q| [q * divisor - half - 1, q * divisor - half]);
        let edges: Vec<i32> = edges.filter(|&sum| 0 <= sum && sum <= 255 * divisor).collect();
        for edges in edges.chunks(LANES) {
            sums.sums[..edges.len()].copy_from_slice(edges);
            sums.divide(weight, &mut quotients);
            for (&sum, &quotient) in edges.iter().zip(&quotients) {
                assert_eq!(i32::from(quotient), (sum + half) / divisor, "{sum} by {weight}");
            }
        }
    }
}

#[test]
fn a_kernel_is_cropped_at_both_ends() {
    assert_eq!(weight(0, 1), 20);
    assert_eq!(weight(0, 1000), 327);
    assert_eq!(weight(999, 1000), 327);
    assert_eq!(weight(32, 65), 634);
    assert_eq!(weight(500, 1000), 634);
}
