//! What queueing theory says of systems that can be solved: what the simulation is held against.
//!
//! All times are in units of the mean service time, on hosts of one core unless said otherwise.

#[cfg(test)]
mod tests;

/// Points at which a function is evaluated for one integral.
const POINTS: usize = 4000;

/// Mean response of M/M/1 at load `rho`; of M/G/1-PS, too, whatever the sizes (Kleinrock 1976).
pub fn mm1(rho: f64) -> f64 {
    1.0 / (1.0 - rho)
}

/// Mean response of M/M/k at load `rho` of each core (Erlang 1917).
pub fn mmk(cores: u32, rho: f64) -> f64 {
    let offered = rho * f64::from(cores);
    // Erlang's B by its recursion, then C from it.
    let blocking = (1..=cores).fold(1.0, |b, n| offered * b / (f64::from(n) + offered * b));
    let waiting = blocking / (1.0 - rho * (1.0 - blocking));
    1.0 + waiting / (f64::from(cores) * (1.0 - rho))
}

/// Mean response with infinitely many hosts of M/M/1 type where each request goes to the shorter of
/// two queues (Vvedenskaya, Dobrushin & Karpelevich 1996; Mitzenmacher 1996): Σ ρ^(2^i − 2).
pub fn power_of_two(rho: f64) -> f64 {
    (1..60).map(|i| rho.powf(2_f64.powi(i) - 2.0)).sum()
}

/// Mean response of M/G/1 under shortest remaining processing time first (Schrage & Miller 1966),
/// for exponential sizes.
///
/// A request of size x waits λ m(x) / (2 (1 − ρ(x))²) until it first runs, m(x) being the second
/// moment of sizes cut off at x and ρ(x) the load of those below x, and takes ∫ dt / (1 − ρ(t))
/// over 0..x from then on.
pub fn srpt(rho: f64) -> f64 {
    const SIZE_MAX: f64 = 60.0;

    let step = SIZE_MAX / POINTS as f64;
    let (mut residence, mut mean) = (0.0, 0.0);
    for index in 0..POINTS {
        let x = (index as f64 + 0.5) * step;
        let load_below = |x: f64| rho * (1.0 - (1.0 + x) * (-x).exp());
        let second_moment = 2.0 - (2.0 + 2.0 * x) * (-x).exp();
        residence += step / 2.0 / (1.0 - load_below(x));
        let wait = rho * second_moment / (2.0 * (1.0 - load_below(x)).powi(2));
        mean += step * (-x).exp() * (wait + residence);
        residence += step / 2.0 / (1.0 - load_below(x));
    }
    mean
}
