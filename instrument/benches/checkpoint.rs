//! What a checkpoint costs while nobody waits, within and without an interruptible request.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use weighbridge_instrument::{Interrupt, checkpoint, interruptible};

fn checkpoints(criterion: &mut Criterion) {
    criterion.bench_function("checkpoint outside of a request", |bench| {
        bench.iter(|| black_box(checkpoint()));
    });
    let interrupt = Interrupt::new();
    interruptible(&interrupt, || {
        criterion.bench_function("checkpoint while nobody waits", |bench| {
            bench.iter(|| black_box(checkpoint()));
        });
    });
}

criterion_group!(benches, checkpoints);
criterion_main!(benches);
