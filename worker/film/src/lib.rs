//! A film made of photos: what a request for one says, and how many frames it will have.
//!
//! For the worker, which makes films, and for the extractor of a balancer, which predicts what they
//! cost.
//!
//! ```text
//! body -> form: parts -> request: photos, music, settings -> timeline: frames
//! ```

pub mod form;
mod request;
mod settings;
mod timeline;

pub use request::{FilmRequest, Mistake, Mistakes, PHOTOS_MAX, Skim};
pub use settings::{FADE, FPS, HEIGHT, Range, SECONDS, Settings, WIDTH};
pub use timeline::{FILM_PIXELS_MAX, Timeline};
