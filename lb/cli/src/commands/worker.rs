//! `weighbridge worker`: one worker.

#[cfg(feature = "models")]
mod models;
mod run;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser};
use weighbridge_proxy::config::{parse_duration, parse_size};
use weighbridge_worker::operations::Limits;
use weighbridge_worker::{SpotNotices, WorkerConfig, defaults, disciplines, serve};

use super::CommandError;
#[cfg(feature = "models")]
use models::ModelArguments;
pub(crate) use run::Guard;
use run::RunArguments;

/// The worker's own.
const LIMITS: Limits = defaults::LIMITS;
const MIB: usize = 1 << 20;

/// Of the metadata service of every EC2 instance.
const METADATA: &str = "169.254.169.254:80";

/// Run one worker: your own server with --run, or blur, enhance and ray tracing.
///
/// It runs the request with the least work left first, and says in the header
/// `endpoint-load-metrics` of each answer what the request cost. SIGTERM,
/// SIGINT and SIGQUIT drain it; a second one ends it at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weighbridge worker --run 'gunicorn app:app -b {address} -w 1' --processes 8 --cores 2
  weighbridge worker --run 'node server.js --port {port}' --listen 0.0.0.0:8080
  weighbridge worker --listen 0.0.0.0:8080 --cores 4
  weighbridge worker --discipline ps --body 64MiB

A balancer finds it by its configuration:
  [fleet]
  kind = \"static\"
  [[fleet.static.hosts]]
  address = \"10.0.0.7:8080\"")]
pub(crate) struct RunWorker {
    /// The address to listen on. Port 0 takes a free port. The address is printed.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Requests that run at once [default: every core].
    #[arg(long, value_name = "N")]
    cores: Option<usize>,
    /// Requests that wait for a core. One more gets 503.
    #[arg(long, value_name = "N", default_value_t = defaults::QUEUE_MAX)]
    queue_max: usize,
    /// The order in which requests run.
    #[arg(long, value_name = "ORDER", value_parser = orders(), default_value = defaults::DISCIPLINE)]
    discipline: String,
    /// Requests that are started and not done, parked ones included. Each holds its memory. With
    /// --run, --processes says how many.
    #[arg(long, value_name = "N", default_value_t = defaults::STARTED_MAX)]
    started_max: usize,
    /// With srpt, a request runs before all others once it has waited for this many times its own
    /// cost, and for --age-floor.
    #[arg(long, value_name = "N", default_value_t = defaults::AGE.factor)]
    age_factor: f64,
    /// See --age-factor. A duration, such as 5s or 250ms.
    #[arg(long, value_name = "TIME", value_parser = time, default_value_t = Span(defaults::AGE.floor))]
    age_floor: Span,
    /// End when standard input ends. So a worker does not outlive the program that started it.
    #[arg(long)]
    exit_with_stdin: bool,
    /// On an EC2 spot instance: look for the notice that it is taken back, every 5 seconds. Then
    /// the worker takes no new work, and balancers launch another one. Without =ADDRESS it asks the
    /// instance metadata service at 169.254.169.254:80.
    #[arg(
        long,
        value_name = "ADDRESS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = METADATA
    )]
    spot_notices: Option<SocketAddr>,
    #[command(flatten)]
    run: RunArguments,
    #[cfg(feature = "models")]
    #[command(flatten)]
    models: ModelArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

/// A size, such as 64MiB.
#[derive(Debug, Clone, Copy)]
struct Size(usize);

/// A duration, such as 5s.
#[derive(Debug, Clone, Copy)]
struct Span(Duration);

/// What one request may ask for. A request beyond a limit gets a 4xx that names the limit.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits of one request")]
struct LimitArguments {
    /// Size of a body, such as 64MiB.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value_t = Size(LIMITS.body_bytes))]
    body: Size,
    /// Pixels of an image or texture, read from its header before it is decoded.
    #[arg(long, value_name = "N", default_value_t = LIMITS.image_pixels)]
    image_pixels: u64,
    /// Pixels of a rendered image: wcols * wrows.
    #[arg(long, value_name = "N", default_value_t = LIMITS.output_pixels)]
    output_pixels: u64,
    /// Shapes of a scene.
    #[arg(long, value_name = "N", default_value_t = LIMITS.shapes)]
    shapes: usize,
    /// Lights of a scene, the ambient one included.
    #[arg(long, value_name = "N", default_value_t = LIMITS.lights)]
    lights: usize,
    /// Size of a texture before it is decoded, such as 16MiB.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value_t = Size(LIMITS.texture_bytes))]
    texture: Size,
    /// How often a ray may be reflected or transmitted. Below 6, scenes that need either are
    /// refused.
    #[arg(long, value_name = "N", default_value_t = LIMITS.recursion_depth)]
    recursion: u32,
}

impl RunWorker {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        crate::log::start();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("worker-http")
            .enable_all()
            .build()?;
        let default = WorkerConfig::new(self.listen);
        let cores = self.cores.unwrap_or(default.cores);
        let config = WorkerConfig {
            cores,
            run: self.run.config(cores)?,
            queue_max: self.queue_max,
            discipline: self.discipline,
            started_max: self.started_max,
            age_factor: self.age_factor,
            age_floor: self.age_floor.0,
            exit_with_stdin: self.exit_with_stdin,
            spot_notices: self
                .spot_notices
                .map(|address| SpotNotices { address, interval: defaults::SPOT_INTERVAL }),
            limits: self.limits.into(),
            #[cfg(feature = "models")]
            models: self.models.config(),
            ..default
        };
        Ok(runtime.block_on(serve(config))?)
    }
}

impl From<LimitArguments> for Limits {
    fn from(arguments: LimitArguments) -> Limits {
        Limits {
            body_bytes: arguments.body.0,
            image_pixels: arguments.image_pixels,
            output_pixels: arguments.output_pixels,
            shapes: arguments.shapes,
            lights: arguments.lights,
            texture_bytes: arguments.texture.0,
            recursion_depth: arguments.recursion,
        }
    }
}

/// Takes the name of an order.
fn orders() -> PossibleValuesParser {
    PossibleValuesParser::new(
        disciplines().map(|(name, about)| PossibleValue::new(name).help(about)),
    )
}

fn size(text: &str) -> Result<Size, String> {
    let bytes = parse_size(text).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.map(Size).ok_or_else(|| "expected a size such as 64MiB".to_owned())
}

fn time(text: &str) -> Result<Span, String> {
    parse_duration(text).map(Span).ok_or_else(|| "expected a time such as 5s".to_owned())
}

// === impl Size ===

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes % MIB == 0 => write!(f, "{}MiB", bytes / MIB),
            bytes => write!(f, "{bytes}B"),
        }
    }
}

// === impl Span ===

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_shown_as_they_may_be_written() {
        for bytes in [LIMITS.body_bytes, LIMITS.texture_bytes, 1000] {
            assert_eq!(size(&Size(bytes).to_string()).map(|size| size.0), Ok(bytes));
        }
        let floor = defaults::AGE.floor;
        assert_eq!(time(&Span(floor).to_string()).map(|span| span.0), Ok(floor));
    }
}
