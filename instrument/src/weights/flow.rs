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
//! which are solved one unknown at a time, beginning with the counted blocks. Each solution is a sum
//! of what is known already. To weigh, the solutions are walked backwards: what a block is worth is
//! handed to those whose sum it is, and what arrives at the counted blocks is their worth. So the
//! instructions of a request are one product of counts and worths, whatever was left out.
//!
//! Where the equations do not suffice (a branch that the compiler made up after counting), the flow
//! is taken to part evenly.

use std::collections::BTreeMap;

/// A function: blocks, the first of which is its entry.
#[derive(Debug, Default)]
pub(super) struct Function {
    pub(super) blocks: Vec<FlowBlock>,
}

/// A block of machine code and where it leads.
#[derive(Debug, Default, Clone)]
pub(super) struct FlowBlock {
    /// What one entry into it executes.
    pub(super) instructions: f64,
    /// The counter that counts it.
    pub(super) counter: Option<usize>,
    /// The blocks that it branches to, each once.
    pub(super) successors: Vec<usize>,
    /// Whether it may be entered otherwise than by a branch from a block of the function.
    pub(super) is_entered: bool,
    /// Whether it may be left otherwise than by a branch to a block of the function.
    pub(super) is_left: bool,
}

/// A function's equations. A quantity is how often a block is entered or a branch taken, or what
/// a counter counts that the compiler has put into several copies of a block: the blocks come
/// first, then the branches, then those counters.
struct Equations {
    known: Vec<bool>,
    /// The quantity that each counter counts.
    counted: BTreeMap<usize, usize>,
    sides: Vec<Side>,
    /// The sides that a quantity occurs in.
    sides_of: Vec<Vec<usize>>,
    /// What each quantity is the sum of, in the order in which they were found.
    solved: Vec<Solution>,
    /// Sides that may have become solvable.
    due: Vec<usize>,
}

/// `block = sum of branches`, for what leads into a block or out of it; or the copies of a block,
/// for a counter.
struct Side {
    block: usize,
    branches: Vec<usize>,
}

/// `quantity = sum of share * whole - sum of rest`.
struct Solution {
    quantity: usize,
    share: f64,
    whole: Vec<usize>,
    rest: Vec<usize>,
}

/// Adds to `worths`, which has a place per counter, what each of the function's counters is worth.
pub(super) fn weigh(function: &Function, worths: &mut [f64]) {
    let mut equations = Equations::of(function);
    equations.solve();

    let blocks = &function.blocks;
    let mut worth = vec![0.0; equations.known.len()];
    for (worth, block) in worth.iter_mut().zip(blocks) {
        *worth = block.instructions;
    }
    for solution in equations.solved.iter().rev() {
        let share = solution.share * worth[solution.quantity];
        worth[solution.quantity] = 0.0;
        for &whole in &solution.whole {
            worth[whole] += share;
        }
        for &rest in &solution.rest {
            worth[rest] -= share;
        }
    }
    for (counter, quantity) in equations.counted {
        worths[counter] += worth[quantity];
    }
}

/// Makes known what is counted: the quantity of each counter.
fn count(
    blocks: &[FlowBlock],
    known: &mut Vec<bool>,
    sides: &mut Vec<Side>,
) -> BTreeMap<usize, usize> {
    let mut copies: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (nth, block) in blocks.iter().enumerate() {
        if let Some(counter) = block.counter {
            copies.entry(counter).or_default().push(nth);
        }
    }
    let mut quantity = |copies: Vec<usize>| {
        if let [block] = copies[..] {
            known[block] = true;
            return block;
        }
        known.push(true);
        sides.push(Side { block: known.len() - 1, branches: copies });
        known.len() - 1
    };
    copies.into_iter().map(|(counter, copies)| (counter, quantity(copies))).collect()
}

// === impl Equations ===

impl Equations {
    fn of(function: &Function) -> Equations {
        let blocks = &function.blocks;
        let mut known = vec![false; blocks.len()];
        let (mut outs, mut ins) = (vec![Vec::new(); blocks.len()], vec![Vec::new(); blocks.len()]);
        for (from, block) in blocks.iter().enumerate() {
            for &to in &block.successors {
                outs[from].push(known.len());
                ins[to].push(known.len());
                known.push(false);
            }
        }
        let mut sides = Vec::new();
        for (block, (out, into)) in outs.into_iter().zip(ins).enumerate() {
            if !blocks[block].is_left && !out.is_empty() {
                sides.push(Side { block, branches: out });
            }
            if !blocks[block].is_entered && !into.is_empty() {
                sides.push(Side { block, branches: into });
            }
        }
        let counted = count(blocks, &mut known, &mut sides);
        let mut sides_of = vec![Vec::new(); known.len()];
        for (side, Side { block, branches }) in sides.iter().enumerate() {
            sides_of[*block].push(side);
            for branch in branches {
                sides_of[*branch].push(side);
            }
        }
        let due = (0..sides.len()).collect();
        Equations { known, counted, sides, sides_of, solved: Vec::new(), due }
    }

    /// Solves what can be solved, and where nothing can, takes one branch to be an even share.
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
        let Side { block, branches } = &self.sides[side];
        let mut unknown = branches.iter().copied().filter(|branch| !self.known[*branch]);
        match (self.known[*block], unknown.next(), unknown.next()) {
            (false, None, _) => Some(Solution {
                quantity: *block,
                share: 1.0,
                whole: branches.clone(),
                rest: Vec::new(),
            }),
            (true, Some(branch), None) => Some(self.share_of_rest(side, branch, 1.0)),
            (true, None, _) | (true, Some(_), Some(_)) | (false, Some(_), _) => None,
        }
    }

    /// The first unknown branch of a known block, as one of equals.
    fn even_share(&self, side: usize) -> Option<Solution> {
        let Side { block, branches } = &self.sides[side];
        let unknown = branches.iter().copied().filter(|branch| !self.known[*branch]);
        let n_unknown = unknown.clone().count();
        let branch = unknown.clone().next()?;
        self.known[*block].then(|| self.share_of_rest(side, branch, 1.0 / n_unknown as f64))
    }

    /// `branch` as a share of what the known branches leave over.
    fn share_of_rest(&self, side: usize, branch: usize, share: f64) -> Solution {
        let Side { block, branches } = &self.sides[side];
        let rest = branches.iter().copied().filter(|branch| self.known[*branch]).collect();
        Solution { quantity: branch, share, whole: vec![*block], rest }
    }

    fn push(&mut self, solution: Solution) {
        self.known[solution.quantity] = true;
        self.due.extend(&self.sides_of[solution.quantity]);
        self.solved.push(solution);
    }
}

#[cfg(test)]
mod tests;
