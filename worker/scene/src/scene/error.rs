//! What may be wrong with a scene.

use thiserror::Error;

/// Why a text is not a scene. Every one is the client's fault.
#[derive(Debug, Error)]
pub enum SceneError {
    /// The text ends too early.
    #[error("the scene ends where {0} was expected")]
    Truncated(&'static str),
    /// A token is not what has to be there.
    #[error("line {line} of the scene has `{token}` where {expected} was expected")]
    Unexpected {
        /// The line, from one.
        line: usize,
        /// What is there, shortened.
        token: String,
        /// What should be there.
        expected: &'static str,
    },
    /// A shape has a pigment or finish that the scene does not have.
    #[error("line {line} of the scene has the {kind} `{index}`, but there are only {n}")]
    NoSuch {
        /// The line, from one.
        line: usize,
        /// `pigment` or `finish`.
        kind: &'static str,
        /// What is asked for.
        index: usize,
        /// How many there are.
        n: usize,
    },
    /// There are more shapes than the limit allows.
    #[error("the scene has `{shapes}` shapes, the limit is `{limit}`")]
    TooManyShapes {
        /// What was announced.
        shapes: usize,
        /// [`Limits::shapes`](super::Limits::shapes).
        limit: usize,
    },
    /// There are more lights than the limit allows.
    #[error("the scene has `{lights}` lights, the limit is `{limit}`")]
    TooManyLights {
        /// What was announced.
        lights: usize,
        /// [`Limits::lights`](super::Limits::lights).
        limit: usize,
    },
    /// Rays are reflected or transmitted more often than the limit allows.
    #[error("the scene reflects or transmits rays up to `{needed}` times, the limit is `{limit}`")]
    TooDeep {
        /// How often.
        needed: u32,
        /// [`Limits::recursion_depth`](super::Limits::recursion_depth).
        limit: u32,
    },
}
