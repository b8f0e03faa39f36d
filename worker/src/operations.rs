//! The operations: blur, local histogram equalisation, ray tracing, films.
//!
//! Each is a pure function of its request: [`run`] reads no clock, file or socket, runs on the
//! thread that calls it, and checks every limit before it pays the cost. The image formats are
//! decoded and encoded by the `image` crate; everything else is ours.

use std::fmt;

use thiserror::Error;
use weighbridge_instrument::Abandoned;

pub mod limits;
pub mod codec;
pub mod blur;
pub mod enhance;
pub mod raytrace;
#[cfg(feature = "video")]
pub mod video;
#[cfg(feature = "models")]
pub mod classify;
#[cfg(feature = "models")]
pub mod recognise;
#[cfg(feature = "models")]
pub mod models;
#[cfg(any(feature = "video", feature = "models"))]
mod exif;
mod form;
pub(crate) mod held;

pub use blur::Blur;
pub use enhance::Enhance;
pub use limits::Limits;
pub use raytrace::RayTrace;
#[cfg(feature = "video")]
pub use video::Video;
#[cfg(feature = "models")]
pub use {classify::Classify, recognise::Recognise};

/// Every operation there is. To add one: a file beside these, and a line here.
pub const ALL: &[&dyn Operation] = &[
    &blur::Blur,
    &enhance::Enhance,
    &raytrace::RayTrace,
    #[cfg(feature = "video")]
    &video::Video,
];

/// Those that need what a worker keeps, see [`Kept`]. Without it they answer that it is not there.
pub const KEPT: &[&dyn Operation] = &[
    #[cfg(feature = "models")]
    &classify::Classify,
    #[cfg(feature = "models")]
    &recognise::Recognise,
];

/// What a path asks for.
pub trait Operation: fmt::Debug + Send + Sync {
    /// Unique and short, as in logs, metrics and the environment of a function: `blur`.
    fn name(&self) -> &'static str;

    /// The path that it is served at: it starts the path of a request, as in `/blurimage` and
    /// `/blurimage/x`.
    fn path(&self) -> &'static str;

    /// What the events of the earlier systems have in place of a body and a query.
    fn event(&self) -> EventForm;

    /// Runs on the calling thread, and takes as long as it takes. At every block boundary it calls
    /// [`weighbridge_instrument::checkpoint`], so that an abandoned request ends early. The body is
    /// not empty and within its limit; every other limit is checked here.
    fn run(&self, request: &OperationRequest<'_>, limits: &Limits)
    -> Result<Reply, OperationError>;

    /// The same, where there is something that a worker keeps from request to request.
    fn run_with(
        &self,
        request: &OperationRequest<'_>,
        limits: &Limits,
        _kept: &Kept,
    ) -> Result<Reply, OperationError> {
        self.run(request, limits)
    }

    /// Bytes of memory that a request holds once it is started, beside its body and what its event
    /// of the earlier systems says.
    fn bytes_held(&self, _: &OperationRequest<'_>, _: &Limits) -> u64 {
        0
    }
}

/// What a worker reads when it starts, and keeps from request to request.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// `None` where the worker was told of no models.
    #[cfg(feature = "models")]
    pub(crate) models: Option<std::sync::Arc<models::Models>>,
}

/// What an event of the earlier systems consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventForm {
    /// An image and its format.
    Image,
    /// A scene, a texture, and what is seen of it.
    Scene,
    /// They had no such operation.
    None,
}

/// One request, as it came.
#[derive(Debug, Clone, Copy)]
pub struct OperationRequest<'a> {
    /// What follows the `?`, still percent-encoded; empty where there is none.
    pub query: &'a str,
    /// The `Content-Type` header.
    pub content_type: Option<&'a str>,
    /// The `Accept` header. It counts for raw images only.
    pub accept: Option<&'a str>,
    /// The whole body.
    pub body: &'a [u8],
}

/// What an operation answers where it succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The `Content-Type` header.
    pub content_type: String,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why an operation has no reply. All but [`OperationError::Abandoned`], and a film that its
/// encoder does not make, are the client's fault.
#[derive(Debug, Error)]
pub enum OperationError {
    /// Nothing was sent.
    #[error("the body is empty")]
    EmptyBody,
    /// The body is over its limit.
    #[error("the body has `{bytes}` bytes, the limit is `{limit}`")]
    BodyTooLarge {
        /// What was sent.
        bytes: usize,
        /// [`Limits::body_bytes`].
        limit: usize,
    },
    /// The image is not in a form that we read, or not wanted in one that we write.
    #[error(transparent)]
    Form(#[from] form::FormError),
    /// The image cannot be decoded or encoded.
    #[error(transparent)]
    Codec(#[from] codec::CodecError),
    /// The scene cannot be rendered.
    #[error(transparent)]
    RayTrace(#[from] raytrace::RayTraceError),
    /// The film cannot be made.
    #[cfg(feature = "video")]
    #[error(transparent)]
    Video(#[from] video::VideoError),
    /// A model does not answer, or knows nobody.
    #[cfg(feature = "models")]
    #[error(transparent)]
    Model(#[from] models::ModelError),
    /// The client is gone: there is no one to answer.
    #[error("the client has abandoned the request")]
    Abandoned,
}

/// The operation called `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Operation> {
    every().find(|operation| operation.name() == name)
}

/// The operation that is served at `path`.
pub fn by_path(path: &str) -> Option<&'static dyn Operation> {
    every().find(|operation| path.starts_with(operation.path()))
}

fn every() -> impl Iterator<Item = &'static dyn Operation> {
    ALL.iter().chain(KEPT).copied()
}

/// Runs `operation` on the calling thread, within `limits`.
pub fn run(
    operation: &dyn Operation,
    request: &OperationRequest<'_>,
    limits: &Limits,
) -> Result<Reply, OperationError> {
    run_with(operation, request, limits, &Kept::default())
}

/// The same, with what a worker keeps.
pub fn run_with(
    operation: &dyn Operation,
    request: &OperationRequest<'_>,
    limits: &Limits,
    kept: &Kept,
) -> Result<Reply, OperationError> {
    if request.body.is_empty() {
        return Err(OperationError::EmptyBody);
    }
    if limits.body_bytes < request.body.len() {
        return Err(OperationError::BodyTooLarge {
            bytes: request.body.len(),
            limit: limits.body_bytes,
        });
    }
    operation.run_with(request, limits, kept)
}

/// Reads an image, applies `apply` to it, and replies in the form that was asked for.
fn filter(
    request: &OperationRequest<'_>,
    limits: &Limits,
    apply: fn(&codec::Raster) -> Result<codec::Raster, Abandoned>,
) -> Result<Reply, OperationError> {
    let image = form::ImageRequest::parse(request)?;
    let source = codec::Source::open(&image.bytes, limits).map_err(codec::failed)?;
    let output = image.output(source.format())?;
    let filtered = apply(&source.decode()?)?;
    let encoded = codec::encode(filtered, output)?;
    Ok(image.reply(output, encoded))
}

// === impl Reply ===

#[cfg(feature = "models")]
impl Reply {
    /// `value` as JSON.
    fn json(value: &impl serde::Serialize) -> Reply {
        let body = serde_json::to_vec(value).expect("an answer is strings and finite numbers");
        Reply { content_type: "application/json".to_owned(), body }
    }
}

// === impl OperationError ===

impl OperationError {
    /// The HTTP status that says so; 499 where the client is gone.
    pub fn status(&self) -> u16 {
        match self {
            OperationError::EmptyBody => 400,
            OperationError::BodyTooLarge { .. } => 413,
            OperationError::Form(error) => error.status(),
            OperationError::Codec(error) => error.status(),
            OperationError::RayTrace(error) => error.status(),
            #[cfg(feature = "video")]
            OperationError::Video(error) => error.status(),
            #[cfg(feature = "models")]
            OperationError::Model(error) => error.status(),
            OperationError::Abandoned => 499,
        }
    }

    /// The part of the request that is wrong, as in `body`, `query.wcols` or `scene`.
    pub fn field(&self) -> Option<&str> {
        match self {
            OperationError::EmptyBody
            | OperationError::BodyTooLarge { .. }
            | OperationError::Codec(_) => Some("body"),
            OperationError::Form(error) => Some(error.field()),
            OperationError::RayTrace(error) => Some(error.field()),
            #[cfg(feature = "video")]
            OperationError::Video(error) => error.field(),
            #[cfg(feature = "models")]
            OperationError::Model(error) => error.field(),
            OperationError::Abandoned => None,
        }
    }

    /// Whether the client gave up, rather than did wrong.
    pub fn is_abandoned(&self) -> bool {
        matches!(self, OperationError::Abandoned)
    }
}

impl From<Abandoned> for OperationError {
    fn from(_: Abandoned) -> OperationError {
        OperationError::Abandoned
    }
}
