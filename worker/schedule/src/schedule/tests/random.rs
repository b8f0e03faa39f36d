//! Everything at random, for many seeds: no request is lost, no slot is idle while one could run,
//! no slot has two requests, no more are started than may be. The schedule asserts that itself
//! after each event; the world asserts that the moves alone tell the same story.

use super::world::*;
use super::*;
use crate::order::ORDERS;

/// A sequence of numbers that look random (Knuth's MMIX generator).
struct Random(u64);

impl Random {
    /// Below `1 << n`, small numbers as often as large ones.
    fn of_any_size(&mut self, n: u64) -> u64 {
        let limit = 1 << self.below(n);
        self.below(limit)
    }

    /// Below `n`.
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn sweep(order: &'static dyn Order, seed: u64) {
    let mut random = Random(seed);
    let slots = 1 + random.below(3) as usize;
    let started_max = slots + random.below(4) as usize;
    let yields_after = (random.below(2) == 0).then_some(Duration::from_millis(2));
    let age = AgeGuard { factor: random.below(4) as f64, floor: TICK * random.below(300) as u32 };
    let started_bytes_max = if random.below(2) == 0 { u64::MAX } else { 100 };
    let bounds =
        Bounds { slots, started_max, started_bytes_max, yields_after, age, ..bounds(slots) };
    let mut world = World::of(order, bounds);
    let mut numbers = Vec::new();
    for _ in 0..400 {
        match random.below(10) {
            0..4 => {
                let size = 1 + random.of_any_size(8);
                let estimate = 1 + size * (1 + random.below(40)) / 20;
                let checkpoints = 1 + random.of_any_size(7);
                world.bytes = random.of_any_size(8);
                numbers.push(world.arrive_mistaken(estimate, size, checkpoints));
            }
            4 if !numbers.is_empty() => {
                let victim = random.below(numbers.len() as u64) as usize;
                world.abandon(numbers[victim]);
            }
            5 if !numbers.is_empty() => {
                let victim = numbers[random.below(numbers.len() as u64) as usize];
                if world.requests.get(&victim).is_some_and(|it| it.state != State::Waiting) {
                    world.linger(victim);
                }
            }
            _ => world.pass(random.below(12)),
        }
    }
    world.finish();
}

#[test]
fn whatever_comes_no_slot_is_idle_or_shared_and_no_request_is_lost() {
    for order in ORDERS {
        for seed in 0..300 {
            println!("{}, seed {seed}", order.name());
            sweep(*order, seed);
        }
    }
}
