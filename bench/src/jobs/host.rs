//! A server that does as it is told: it takes so much time, or so much CPU time, and notes in a
//! file when it began and when it ended.
//!
//! `/job?id=ID&ms=MILLISECONDS[&how=sleep]`. The answer is `ID TOKEN`, where the token is that of
//! this one execution. Every other path is answered at once.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use super::log::{Kind, Log, monotonic};

/// The longest head or body that is read.
const READ_MAX: u64 = 1 << 20;

/// See the module.
#[derive(Debug, clap::Args)]
pub struct Host {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The file of executions; without one nothing is noted.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// What this host is called in that file.
    #[arg(long, value_name = "NAME", default_value = "host")]
    name: String,
}

/// What a request asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    id: Option<String>,
    time: Duration,
    sleeps: bool,
}

impl Host {
    /// Serves until it is ended.
    pub(super) fn run(self) -> io::Result<()> {
        let listener = TcpListener::bind(self.listen)?;
        let log = self.log.map(|file| Log::open(&file, &self.name)).transpose()?;
        for stream in listener.incoming() {
            let (stream, log) = (stream?, log.clone());
            std::thread::spawn(move || serve(stream, log.as_ref()));
        }
        Ok(())
    }
}

/// Answers the requests of one connection until it ends.
fn serve(stream: TcpStream, log: Option<&Log>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader)? {
        let answer = answer(&asked, log)?;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        writer.write_all(format!("{head}{answer}").as_bytes())?;
    }
    Ok(())
}

/// Reads one request with its body; `None` where there is no more.
fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Asked>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if reader.by_ref().take(READ_MAX).read_until(b'\n', &mut head)? == 0 {
            return Ok(None);
        }
        if READ_MAX < head.len() as u64 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(&head).map_err(io::Error::other)?;
    let target = request.path.filter(|_| parsed.is_complete()).unwrap_or("/");
    let asked = parse(target);
    let length = request.headers.iter().find(|one| one.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|one| std::str::from_utf8(one.value).ok()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0).min(READ_MAX) as usize];
    reader.read_exact(&mut body)?;
    Ok(Some(asked))
}

fn parse(target: &str) -> Asked {
    let Some((_, query)) = target.split_once('?') else { return Asked::default() };
    let mut asked = Asked::default();
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "id" => asked.id = Some(value.to_owned()),
            "ms" => asked.time = Duration::from_millis(value.parse().unwrap_or(0)),
            "how" => asked.sleeps = value == "sleep",
            _ => {}
        }
    }
    asked
}

/// Does what is asked, and says that it has.
fn answer(asked: &Asked, log: Option<&Log>) -> io::Result<String> {
    let Some(id) = &asked.id else { return Ok("ready".to_owned()) };
    let token = monotonic();
    let note = |kind| log.map_or(Ok(()), |log| log.note(kind, id, token));
    note(Kind::Start)?;
    if asked.sleeps {
        std::thread::sleep(asked.time);
    } else {
        burn(asked.time);
    }
    note(Kind::End)?;
    Ok(format!("{id} {token}"))
}

/// Takes so much CPU time.
fn burn(time: Duration) {
    let used = || {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(used.tv_sec.unsigned_abs(), used.tv_nsec.unsigned_abs() as u32)
    };
    let end = used() + time;
    let mut sum = 0_u64;
    while used() < end {
        for n in 0..1000 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(n));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_says_which_job_and_how_long() {
        let (id, time) = (Some("7".to_owned()), Duration::from_millis(20));
        assert_eq!(parse("/job?id=7&ms=20&how=sleep"), Asked { id, time, sleeps: true });
        assert_eq!(parse("/readyz"), Asked::default());
    }
}
