//! The equalisation itself is compared with its definition in `tests/it/operations/images.rs`.

use super::*;

#[test]
fn division_is_exact_around_every_level() {
    for area in (1..=(SIDE * SIDE) as u64).step_by(37) {
        let scale = Scale::new(area as usize);
        for count in (0..=255).map(|level| (level * area).div_ceil(255)) {
            for count in count.saturating_sub(1)..=count {
                assert_eq!(u64::from(scale.level(count)), count * 255 / area, "{count} of {area}");
            }
        }
    }
}

#[test]
fn windows_stay_inside() {
    assert_eq!(window_start(0, 50), 0);
    assert_eq!(window_start(49, 50), 0);
    assert_eq!(window_start(50, 101), 0);
    assert_eq!(window_start(51, 102), 1);
    assert_eq!(window_start(101, 102), 1);
    assert_eq!(window_start(500, 1000), 450);
    assert_eq!(window_start(999, 1000), 899);
}
