//! A network, run stage by stage.
//!
//! Of the file's outputs the last is the answer. Each before it is a value that everything passes
//! through: what comes in front of it is a stage. There is a checkpoint before each.
//!
//! The library is not counted, but what a stage does is known: the file says how many
//! multiplications it has for each place of its output. They are told to the meter as the
//! instructions that they take about as long as.

use std::fmt;
use std::path::Path;

use rten::{Model, NodeId, Value};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;
use weighbridge_instrument::{charge, checkpoint};

use super::{ModelError, missing, read, threads};
use crate::operations::OperationError;

/// A network.
pub(in crate::operations) struct Net {
    model: Model,
    input: NodeId,
    stages: Vec<Stage>,
}

/// A part of it.
struct Stage {
    /// What comes of it.
    output: NodeId,
    /// Multiplications for each place of its output.
    multiplications: u64,
}

/// Multiplications that take as long as an instruction of counted code: eight are one instruction,
/// of which fewer are done at once.
const PER_INSTRUCTION: u64 = 2;

/// Instructions of a basic block, as counted code has them.
const PER_BLOCK: u64 = 16;

/// Where the file says what its stages do.
const WORK: &str = "multiplications";

impl Net {
    /// Reads `name` in `folder` for `operation`.
    pub(in crate::operations) fn read(
        operation: &'static str,
        folder: &Path,
        name: &str,
    ) -> Result<Net, ModelError> {
        let file = read(operation, folder, name)?;
        let path = folder.join(name);
        let model = Model::load(file).map_err(|error| missing(operation, &path, error))?;
        let (&[input], outputs) = (model.input_ids(), model.output_ids()) else {
            return Err(missing(operation, &path, "expected one input"));
        };
        let work = model.metadata().get(WORK).unwrap_or_default();
        let work: Option<Vec<u64>> = work.split(' ').map(|number| number.parse().ok()).collect();
        let work = work.filter(|work| work.len() == outputs.len() && !outputs.is_empty());
        let wrong = || missing(operation, &path, "expected the work of each stage");
        let stages = outputs.iter().zip(work.ok_or_else(wrong)?);
        let stages = stages.map(|(&output, multiplications)| Stage { output, multiplications });
        let stages = stages.collect();
        Ok(Net { model, input, stages })
    }

    /// The answer to `input`, which has the shape `[1, channels, rows, columns]`: its numbers, and
    /// the last two sides of its shape.
    pub(in crate::operations) fn run(
        &self,
        shape: [usize; 4],
        input: Vec<f32>,
    ) -> Result<(Vec<f32>, [usize; 2]), OperationError> {
        let mut value = Value::from(Tensor::from_data(&shape, input));
        let mut at = self.input;
        let mut sides = [1, 1];
        for &Stage { output, multiplications } in &self.stages {
            checkpoint()?;
            let inputs = vec![(at, value.into())];
            let [next] =
                self.model.run_n(inputs, [output], Some(threads::options())).map_err(run)?;
            sides = sides_of(&next);
            let places = (sides[0] * sides[1]) as u64;
            let instructions = multiplications.saturating_mul(places) / PER_INSTRUCTION;
            charge(instructions, instructions / PER_BLOCK);
            (value, at) = (next, output);
        }
        let answer = value.into_tensor::<f32>().ok_or_else(|| run("expected numbers"))?;
        Ok((answer.into_data(), sides))
    }
}

/// Rows and columns of a value with four axes; of any other, one place.
fn sides_of(value: &Value) -> [usize; 2] {
    match value.as_view().shape().as_slice() {
        [_, _, rows, columns] => [*rows, *columns],
        _ => [1, 1],
    }
}

fn run(error: impl fmt::Display) -> OperationError {
    ModelError::Run(error.to_string()).into()
}

// === impl Net ===

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").field("n_stages", &self.stages.len()).finish_non_exhaustive()
    }
}
