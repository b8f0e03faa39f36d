//! What a counted block is worth, by the flow through its function.
//!
//! Not every block is counted, and those that are not can be told from those that are: a block is
//! left as often as it is entered. Written as equations over blocks and the branches between them,
//!
//! ```text
//! entered = sum of the branches into the block
//! left    = sum of the branches out of it = entered
//! ```
//!
//! which are solved one unknown at a time, beginning with the counted blocks. Each solution is a
//! sum of what is known already. To weigh, the solutions are walked backwards: what a block is
//! worth is handed to those whose sum it is, and what arrives at the counted blocks is their worth.
//! So the instructions of a request are one product of counts and worths, whatever was left out.
//!
//! Where the equations do not suffice (a branch that the compiler made up after counting), the flow
//! is taken to part evenly.

use std::ops::Range;

/// A function: blocks, the first of which is its entry.
#[derive(Debug, Default)]
pub(super) struct Function {
    pub(super) blocks: Vec<FlowBlock>,
    /// Where each branch leads to: those of a block beside each other.
    pub(super) branches: Vec<usize>,
}

/// A block of machine code and where it leads.
#[derive(Debug, Clone)]
pub(super) struct FlowBlock {
    /// What one entry into it executes.
    pub(super) instructions: f64,
    /// The counter that counts it.
    pub(super) counter: Option<usize>,
    /// Which branches are its own; no two of them lead to the same block.
    pub(super) branches: Range<usize>,
    /// Whether it may be entered otherwise than by a branch from a block of the function.
    pub(super) is_entered: bool,
    /// Whether it may be left otherwise than by a branch to a block of the function.
    pub(super) is_left: bool,
}

/// A function's equations. A quantity is how often a block is entered or a branch taken, or what
/// a counter counts that the compiler has put into several copies of a block: the blocks come
/// first, then the branches, then those counters.
#[derive(Default)]
struct Equations {
    /// When each quantity became known: [`COUNTED`], or after so many solutions, or [`NEVER`].
    known: Vec<usize>,
    /// Each counter and the quantity that it counts.
    counted: Vec<(usize, usize)>,
    sides: Vec<Side>,
    /// What the sides are the sums of.
    parts: Vec<usize>,
    /// The sides that a quantity occurs in, or [`NEVER`]. A block has one for what leads into it,
    /// one for what leads out of it and one for the copies of which it is one; none has more.
    sides_of: Vec<[usize; 3]>,
    /// In the order in which they were found.
    solved: Vec<Solution>,
    /// Sides that may have become solvable.
    due: Vec<usize>,
}

/// `whole = sum of parts`, for what leads into a block or out of it; or the copies of a block, for
/// a counter.
struct Side {
    whole: usize,
    parts: Range<usize>,
}

/// What the side says of `quantity`: `sum of parts` where it is the whole, and otherwise
/// `share * (whole - sum of those parts that were known before)`.
struct Solution {
    quantity: usize,
    share: f64,
    side: usize,
}

/// Known without a solution.
const COUNTED: usize = 0;

const NEVER: usize = usize::MAX;

/// Adds to `worths`, which has a place per counter, what each of the function's counters is worth.
pub(super) fn weigh(function: &Function, worths: &mut [f64]) {
    let mut equations = Equations::of(function);
    equations.solve();

    let mut worth = vec![0.0; equations.known.len()];
    for (worth, block) in worth.iter_mut().zip(&function.blocks) {
        *worth = block.instructions;
    }
    for (nth, solution) in equations.solved.iter().enumerate().rev() {
        equations.hand_over(nth, solution, &mut worth);
    }
    for (counter, quantity) in equations.counted {
        worths[counter] += worth[quantity];
    }
}

/// The branches by the block that they lead to: those to `block` are the second's part from the
/// first's place `block` to the next.
fn by_target(function: &Function) -> (Vec<usize>, Vec<usize>) {
    let mut ends = vec![0; function.blocks.len() + 1];
    for to in &function.branches {
        ends[to + 1] += 1;
    }
    for block in 1..ends.len() {
        ends[block] += ends[block - 1];
    }
    let (mut next, mut into) = (ends.clone(), vec![0; function.branches.len()]);
    for (branch, to) in function.branches.iter().enumerate() {
        into[next[*to]] = branch;
        next[*to] += 1;
    }
    (ends, into)
}

// === impl Equations ===

impl Equations {
    fn of(function: &Function) -> Equations {
        let blocks = &function.blocks;
        let (ends, into) = by_target(function);
        let n_quantities = blocks.len() + function.branches.len();
        let mut equations = Equations { known: vec![NEVER; n_quantities], ..Equations::default() };
        for (nth, block) in blocks.iter().enumerate() {
            if !block.is_left {
                equations.add(nth, block.branches.clone().map(|branch| blocks.len() + branch));
            }
            if !block.is_entered {
                let branches = &into[ends[nth]..ends[nth + 1]];
                equations.add(nth, branches.iter().map(|branch| blocks.len() + branch));
            }
        }
        equations.count(blocks);
        equations.sides_of = vec![[NEVER; 3]; equations.known.len()];
        for (nth, side) in equations.sides.iter().enumerate() {
            for quantity in equations.parts[side.parts.clone()].iter().chain([&side.whole]) {
                let free = equations.sides_of[*quantity].iter_mut().find(|side| **side == NEVER);
                debug_assert!(free.is_some(), "a quantity occurs in three sides at most");
                if let Some(free) = free {
                    *free = nth;
                }
            }
        }
        equations.due = (0..equations.sides.len()).collect();
        equations
    }

    /// A side, where there is anything that `whole` may be the sum of.
    fn add(&mut self, whole: usize, parts: impl Iterator<Item = usize>) {
        let begin = self.parts.len();
        self.parts.extend(parts);
        if begin < self.parts.len() {
            self.sides.push(Side { whole, parts: begin..self.parts.len() });
        }
    }

    /// Makes known what is counted: the quantity of each counter.
    fn count(&mut self, blocks: &[FlowBlock]) {
        let counter = |(nth, block): (usize, &FlowBlock)| Some((block.counter?, nth));
        let mut counted: Vec<_> = blocks.iter().enumerate().filter_map(counter).collect();
        counted.sort_unstable();
        for copies in counted.chunk_by(|(one, _), (other, _)| one == other) {
            let (counter, block) = copies[0];
            if copies.len() == 1 {
                self.known[block] = COUNTED;
                self.counted.push((counter, block));
            } else {
                self.known.push(COUNTED);
                self.counted.push((counter, self.known.len() - 1));
                self.add(self.known.len() - 1, copies.iter().map(|(_, block)| *block));
            }
        }
    }

    /// Solves what can be solved, and where nothing can, takes one part to be an even share.
    fn solve(&mut self) {
        self.solve_due();
        for side in 0..self.sides.len() {
            while let Some(solution) = self.even_share(side) {
                self.push(solution);
                self.solve_due();
            }
        }
    }

    fn solve_due(&mut self) {
        while let Some(side) = self.due.pop() {
            if let Some(solution) = self.solution(side) {
                self.push(solution);
            }
        }
    }

    /// What the side's equation says of its one unknown quantity.
    fn solution(&self, side: usize) -> Option<Solution> {
        let whole = self.sides[side].whole;
        let mut unknown = self.unknown_parts(side);
        let quantity = match (self.is_known(whole), unknown.next(), unknown.next()) {
            (false, None, _) => whole,
            (true, Some(part), None) => part,
            (true, None, _) | (true, Some(_), Some(_)) | (false, Some(_), _) => return None,
        };
        Some(Solution { quantity, share: 1.0, side })
    }

    /// The first unknown part of a known whole, as one of equals.
    fn even_share(&self, side: usize) -> Option<Solution> {
        let n_unknown = self.unknown_parts(side).count();
        let quantity = self.unknown_parts(side).next()?;
        let is_known = self.is_known(self.sides[side].whole);
        is_known.then_some(Solution { quantity, share: 1.0 / n_unknown as f64, side })
    }

    fn unknown_parts(&self, side: usize) -> impl Iterator<Item = usize> {
        let parts = &self.parts[self.sides[side].parts.clone()];
        parts.iter().copied().filter(|part| !self.is_known(*part))
    }

    fn is_known(&self, quantity: usize) -> bool {
        self.known[quantity] != NEVER
    }

    fn push(&mut self, solution: Solution) {
        let sides = self.sides_of[solution.quantity];
        self.due.extend(sides.into_iter().filter(|side| *side != NEVER));
        // From one on: what is counted is known before the first solution.
        self.known[solution.quantity] = self.solved.len() + 1;
        self.solved.push(solution);
    }

    /// Hands what the quantity of the solution is worth to those whose sum it is.
    fn hand_over(&self, nth: usize, solution: &Solution, worth: &mut [f64]) {
        let Solution { quantity, share, side } = *solution;
        let Side { whole, ref parts } = self.sides[side];
        let share = share * std::mem::take(&mut worth[quantity]);
        if share == 0.0 {
            return;
        }
        let parts = &self.parts[parts.clone()];
        if quantity == whole {
            for part in parts {
                worth[*part] += share;
            }
            return;
        }
        worth[whole] += share;
        for part in parts.iter().filter(|part| self.known[**part] <= nth) {
            worth[*part] -= share;
        }
    }
}

#[cfg(test)]
mod tests;
