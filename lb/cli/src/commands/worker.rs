//! `weighbridge worker`: one worker.

use std::net::SocketAddr;
use std::time::Duration;

use weighbridge_proxy::config::{parse_duration, parse_size};
use weighbridge_worker::operations::Limits;
use weighbridge_worker::{WorkerConfig, serve};

use super::CommandError;

/// Run one worker: blur, enhance and ray tracing over HTTP.
///
/// It says in the header `endpoint-load-metrics` of each answer what the request cost. SIGINT and
/// SIGTERM drain it; a second one ends it at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
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
    #[arg(long, value_name = "N", default_value_t = 1024)]
    queue_max: usize,
    /// The order in which requests run. srpt: the shortest remaining one first; longer ones pause
    /// for it. ps: all at once, as on an ordinary server. fcfs: first come, first served.
    #[arg(long, value_name = "ORDER", value_parser = ["srpt", "ps", "fcfs"], default_value = "srpt")]
    discipline: String,
    /// Requests that are started and not done, paused ones included. Each holds its memory.
    #[arg(long, value_name = "N", default_value_t = 64)]
    started_max: usize,
    /// With srpt, a request runs before all others once it has waited for this many times its own
    /// cost, and for --age-floor.
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    age_factor: f64,
    /// See --age-factor. A duration, such as 5s or 250ms.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5s")]
    age_floor: Duration,
    /// End when standard input ends. So a worker does not outlive the program that started it.
    #[arg(long)]
    exit_with_stdin: bool,
    #[command(flatten)]
    limits: LimitArguments,
}

/// What one request may ask for. A request beyond a limit gets a 4xx that names the limit.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits of one request")]
struct LimitArguments {
    /// Size of a body, such as 64MiB.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "32MiB")]
    body: usize,
    /// Pixels of an image or texture, read from its header before it is decoded.
    #[arg(long, value_name = "N", default_value_t = Limits::default().image_pixels)]
    image_pixels: u64,
    /// Pixels of a rendered image: wcols * wrows.
    #[arg(long, value_name = "N", default_value_t = Limits::default().output_pixels)]
    output_pixels: u64,
    /// Shapes of a scene.
    #[arg(long, value_name = "N", default_value_t = Limits::default().shapes)]
    shapes: usize,
    /// Lights of a scene, the ambient one included.
    #[arg(long, value_name = "N", default_value_t = Limits::default().lights)]
    lights: usize,
    /// Size of a texture before it is decoded, such as 16MiB.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "16MiB")]
    texture: usize,
    /// How often a ray may be reflected or transmitted. Below 6, scenes that need either are
    /// refused.
    #[arg(long, value_name = "N", default_value_t = Limits::default().recursion_depth)]
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
        let config = WorkerConfig {
            cores: self.cores.unwrap_or(default.cores),
            queue_max: self.queue_max,
            discipline: self.discipline,
            started_max: self.started_max,
            age_factor: self.age_factor,
            age_floor: self.age_floor,
            exit_with_stdin: self.exit_with_stdin,
            limits: self.limits.into(),
            ..default
        };
        Ok(runtime.block_on(serve(config))?)
    }
}

impl From<LimitArguments> for Limits {
    fn from(arguments: LimitArguments) -> Limits {
        Limits {
            body_bytes: arguments.body,
            image_pixels: arguments.image_pixels,
            output_pixels: arguments.output_pixels,
            shapes: arguments.shapes,
            lights: arguments.lights,
            texture_bytes: arguments.texture,
            recursion_depth: arguments.recursion,
        }
    }
}

fn size(text: &str) -> Result<usize, String> {
    let bytes = parse_size(text).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| "expected a size such as 64MiB".to_owned())
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a time such as 5s".to_owned())
}
