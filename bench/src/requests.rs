//! Random requests for the three routes of the default configuration, all of one seed.
//!
//! Sizes are spread over decades, and contents over what makes codecs and the ray tracer fast or
//! slow, so that no single number of a request tells its cost.

pub mod picture;
pub mod scene;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use fastrand::Rng;

/// A route of the default configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// Blurs an image.
    Blur,
    /// Equalises the histogram of an image, locally.
    Enhance,
    /// Renders a scene.
    RayTrace,
}

/// One request, ready to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which route it takes.
    pub route: Route,
    /// Path, with the query where there is one.
    pub target: String,
    /// The `Content-Type` header.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl Route {
    /// Every route.
    pub const ALL: [Route; 3] = [Route::Blur, Route::Enhance, Route::RayTrace];

    /// Its name in the default configuration.
    pub fn name(self) -> &'static str {
        match self {
            Route::Blur => "blur",
            Route::Enhance => "enhance",
            Route::RayTrace => "raytrace",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Route::Blur => "/blurimage",
            Route::Enhance => "/enhanceimage",
            Route::RayTrace => "/raytracer",
        }
    }

    /// A random request.
    pub fn request(self, random: &mut Rng) -> Request {
        self.request_of(random, &[])
    }

    /// A random request; a picture has any of `formats`, or one of the usual ones where these are
    /// none.
    pub fn request_of(self, random: &mut Rng, formats: &[picture::Format]) -> Request {
        let path = self.path();
        match self {
            Route::Blur | Route::Enhance => {
                let sent = picture::random(random, formats);
                Request {
                    route: self,
                    target: path.to_owned(),
                    content_type: sent.content_type,
                    body: sent.body.into(),
                }
            }
            Route::RayTrace => {
                let body = scene::random(random);
                let target = format!("{path}?{}", scene::random_view(random));
                Request { route: self, target, content_type: "application/json", body: body.into() }
            }
        }
    }
}

impl Request {
    /// What follows the `?`.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

/// A number from `least` to `most`, every factor between them as likely.
pub(crate) fn spread(random: &mut Rng, least: f64, most: f64) -> f64 {
    least * (most / least).powf(random.f64())
}

/// A number from `least` to `most`.
pub(crate) fn between(random: &mut Rng, least: f64, most: f64) -> f64 {
    least + (most - least) * random.f64()
}
