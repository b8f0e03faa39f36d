//! What systemd is told of the balancer, and how often (`sd_notify(3)`, `sd_watchdog_enabled(3)`).
//!
//! A service of `Type=notify` says when it serves and when it stops. With `WatchdogSec=` it also
//! says again and again that it is well; systemd ends and restarts one that has not said so for
//! that long. The protocol is a line for each word, in a datagram to the socket that the
//! environment names.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Words before the time is up in which one is awaited: one or two may be late.
const WORDS_IN_TIME: u32 = 3;

/// Who started the balancer and wants to hear of it. See the module.
#[derive(Debug)]
pub(crate) struct Supervisor {
    socket: UnixDatagram,
    address: SocketAddr,
    /// How often it wants to hear that the balancer is well; `None` where it does not.
    interval: Option<Duration>,
}

/// What it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// Requests are taken.
    Ready,
    /// Requests are still decided.
    Well,
    /// No new requests are taken.
    Stopping,
    /// Another process is the balancer from now on.
    Main(u32),
}

/// What the environment says of it.
#[derive(Debug, Default)]
struct Told {
    /// `NOTIFY_SOCKET`: a path, or a name after `@`.
    socket: OsString,
    /// `WATCHDOG_USEC`, microseconds.
    watchdog: Option<String>,
    /// `WATCHDOG_PID`: whom the watchdog is for, where that is said.
    pid: Option<String>,
}

impl Supervisor {
    /// The one that the environment names, if it names one.
    pub(crate) fn from_env() -> Option<Supervisor> {
        let told = Told {
            socket: std::env::var_os("NOTIFY_SOCKET")?,
            watchdog: std::env::var("WATCHDOG_USEC").ok(),
            pid: std::env::var("WATCHDOG_PID").ok(),
        };
        match Supervisor::of(&told) {
            Ok(supervisor) => Some(supervisor),
            Err(error) => {
                tracing::warn!(socket = ?told.socket, %error, "systemd cannot be told anything");
                None
            }
        }
    }

    fn of(told: &Told) -> io::Result<Supervisor> {
        let socket = UnixDatagram::unbound()?;
        // Nobody waits for systemd.
        socket.set_nonblocking(true)?;
        let own_pid = std::process::id().to_string();
        let is_ours = told.pid.as_ref().is_none_or(|pid| *pid == own_pid);
        let micros = told.watchdog.as_ref().and_then(|micros| micros.parse().ok());
        let micros = micros.filter(|micros| is_ours && 0 < *micros);
        let interval = micros.map(|micros| Duration::from_micros(micros) / WORDS_IN_TIME);
        Ok(Supervisor { socket, address: address(&told.socket)?, interval })
    }

    /// How often it wants to hear that the balancer is well.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// Tells it. A word that is lost is followed by others.
    pub(crate) fn tell(&self, word: Word) {
        if let Err(error) = self.socket.send_to_addr(word.line().as_bytes(), &self.address) {
            tracing::warn!(?word, %error, "systemd was not told");
        }
    }
}

impl Word {
    fn line(self) -> Cow<'static, str> {
        match self {
            Word::Ready => "READY=1".into(),
            Word::Well => "WATCHDOG=1".into(),
            Word::Stopping => "STOPPING=1".into(),
            Word::Main(pid) => format!("MAINPID={pid}").into(),
        }
    }
}

fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    match socket.as_bytes().strip_prefix(b"@") {
        None => SocketAddr::from_pathname(socket),
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt as _;
            SocketAddr::from_abstract_name(name)
        }
        #[cfg(not(target_os = "linux"))]
        Some(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A supervisor that a test listens to.

    use super::{Duration, Supervisor, Told, UnixDatagram};

    /// A supervisor that wants to hear of the balancer within `watchdog`, and where it hears.
    pub(crate) fn supervisor(watchdog: Duration) -> (Supervisor, UnixDatagram, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let ear = UnixDatagram::bind(&path).unwrap();
        let watchdog = Some(watchdog.as_micros().to_string());
        let told = Told { socket: path.into_os_string(), watchdog, pid: None };
        (Supervisor::of(&told).unwrap(), ear, folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(watchdog: Option<&str>, pid: Option<&str>) -> Option<Duration> {
        let [watchdog, pid] = [watchdog, pid].map(|text| text.map(str::to_owned));
        let told = Told { socket: "/nowhere".into(), watchdog, pid };
        Supervisor::of(&told).unwrap().interval()
    }

    #[test]
    fn three_words_fit_into_the_time_of_the_watchdog_that_is_ours() {
        let own = std::process::id().to_string();
        assert_eq!(interval(Some("30000000"), None), Some(Duration::from_secs(10)));
        assert_eq!(interval(Some("30000000"), Some(&own)), Some(Duration::from_secs(10)));
        assert_eq!(interval(Some("30000000"), Some("1")), None);
        assert_eq!(interval(Some("0"), None), None);
        assert_eq!(interval(Some("soon"), None), None);
        assert_eq!(interval(None, None), None);
    }

    #[test]
    fn a_word_comes_at_a_path_and_at_a_name_and_is_not_waited_for_elsewhere() {
        let (supervisor, ear, _folder) = testing::supervisor(Duration::from_secs(1));
        supervisor.tell(Word::Ready);
        let mut buffer = [0; 64];
        let length = ear.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1");

        let told = |socket: &str| Told { socket: socket.into(), ..Told::default() };
        Supervisor::of(&told("/nowhere")).unwrap().tell(Word::Stopping);
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt as _;
            let name = format!("weighbridge-{}", std::process::id());
            let ear =
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
            Supervisor::of(&told(&format!("@{name}"))).unwrap().tell(Word::Stopping);
            let length = ear.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"STOPPING=1");
        }
    }
}
