//! Ray tracing: renders a scene of spheres, planes and triangles.
//!
//! The scene's language and geometry are in `weighbridge_scene`. In the order of a request: the
//! view is read from the query, `body` takes the JSON apart, the scene is read from the text in it,
//! `render` traces the rays, `bmp` writes the file. The output is compared byte for byte with what
//! the systems before us rendered. That is why some expressions here are not in their shortest
//! form.

use thiserror::Error;
use weighbridge_scene::View;

use self::render::Renderer;
use super::codec::{self, CodecError, Raster, Source};
use super::limits::Limits;
use super::{EventForm, Operation, OperationError, OperationRequest, Reply, form};

mod body;
mod pigment;
mod render;
mod bmp;

pub use weighbridge_scene::{SceneError, ViewError};

/// Why a scene cannot be rendered. Every one is the client's fault.
#[derive(Debug, Error)]
pub enum RayTraceError {
    /// The query.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The body is not the JSON that was expected.
    #[error(
        "the body is not `{{\"scene\": \"...\", \"texmap\": [byte, ...]}}`: line {}, column {}",
        .0.line(),
        .0.column()
    )]
    Json(#[source] serde_json::Error),
    /// The body has no `scene`.
    #[error("the body has no `scene`")]
    NoScene,
    /// The scene.
    #[error(transparent)]
    Scene(#[from] SceneError),
    /// A pigment of the scene is a texture, and none was sent.
    #[error("the scene has a texmap pigment, but `texmap` is missing or empty")]
    NoTexture,
    /// The texture is over its limit.
    #[error("the texture has `{bytes}` bytes, the limit is `{limit}`")]
    TextureTooLarge {
        /// What was sent.
        bytes: usize,
        /// [`Limits::texture_bytes`].
        limit: usize,
    },
    /// The texture cannot be decoded.
    #[error("the texture cannot be read: {0}")]
    Texture(CodecError),
}

/// Renders a scene: the one in the body, as the query asks.
#[derive(Debug)]
pub struct RayTrace;

impl Operation for RayTrace {
    fn name(&self) -> &'static str {
        "raytrace"
    }

    fn path(&self) -> &'static str {
        "/raytracer"
    }

    fn event(&self) -> EventForm {
        EventForm::Scene
    }

    fn run(
        &self,
        request: &OperationRequest<'_>,
        limits: &Limits,
    ) -> Result<Reply, OperationError> {
        let view = View::parse(request.query, limits.output_pixels).map_err(RayTraceError::from)?;
        let body = body::parse(request.body)?;
        let scene = weighbridge_scene::parse(&body.scene, &scene_limits(limits))
            .map_err(RayTraceError::from)?;
        let texture = if scene.has_texture() { Some(texture(&body.texmap, limits)?) } else { None };
        let pixels = Renderer::new(&scene, &view, texture.as_ref()).render()?;
        let file = bmp::encode(view.width(), view.height(), &pixels);
        Ok(form::data_url("bmp", &file))
    }
}

fn scene_limits(limits: &Limits) -> weighbridge_scene::Limits {
    let Limits { shapes, lights, recursion_depth, .. } = *limits;
    weighbridge_scene::Limits { shapes, lights, recursion_depth }
}

/// Decodes the texture.
fn texture(bytes: &[u8], limits: &Limits) -> Result<Raster, OperationError> {
    if bytes.is_empty() {
        return Err(RayTraceError::NoTexture.into());
    }
    if limits.texture_bytes < bytes.len() {
        let limit = limits.texture_bytes;
        return Err(RayTraceError::TextureTooLarge { bytes: bytes.len(), limit }.into());
    }
    let source = Source::open(bytes, limits).map_err(codec::failed);
    source.and_then(Source::decode).map_err(|error| match error {
        OperationError::Codec(error) => RayTraceError::Texture(error).into(),
        error => error,
    })
}

// === impl RayTraceError ===

impl RayTraceError {
    pub(super) fn status(&self) -> u16 {
        match self {
            RayTraceError::View(error) => view_status(error),
            RayTraceError::Scene(error) => scene_status(error),
            RayTraceError::Texture(error) => error.status(),
            RayTraceError::Json(_) | RayTraceError::NoScene | RayTraceError::NoTexture => 400,
            RayTraceError::TextureTooLarge { .. } => 413,
        }
    }

    pub(super) fn field(&self) -> &str {
        match self {
            RayTraceError::View(error) => view_field(error),
            RayTraceError::Json(_) => "body",
            RayTraceError::NoScene | RayTraceError::Scene(_) => "scene",
            RayTraceError::NoTexture
            | RayTraceError::TextureTooLarge { .. }
            | RayTraceError::Texture(_) => "texmap",
        }
    }
}

fn view_status(error: &ViewError) -> u16 {
    match error {
        ViewError::Missing(_) | ViewError::NotAnInteger { .. } | ViewError::OutOfRange { .. } => {
            400
        }
        ViewError::TooManyPixels { .. } => 422,
    }
}

fn view_field(error: &ViewError) -> &'static str {
    match error {
        ViewError::Missing(name)
        | ViewError::NotAnInteger { name, .. }
        | ViewError::OutOfRange { name, .. } => name,
        ViewError::TooManyPixels { .. } => "wcols",
    }
}

fn scene_status(error: &SceneError) -> u16 {
    match error {
        SceneError::Truncated(_) | SceneError::Unexpected { .. } | SceneError::NoSuch { .. } => 400,
        SceneError::TooManyShapes { .. }
        | SceneError::TooManyLights { .. }
        | SceneError::TooDeep { .. } => 422,
    }
}
