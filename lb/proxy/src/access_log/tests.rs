use std::fs;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use super::*;

fn record() -> AccessRecord<'static> {
    AccessRecord {
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250),
        client: Some(IpAddr::from([127, 0, 0, 1])),
        client_name: Some("2bb80d537b1da3e3"),
        method: "POST",
        path: "/raytracer?a=\"1\"\n",
        route: Some("raytrace"),
        status: Some(200),
        bytes_in: 10,
        bytes_out: 20,
        host: None,
        tries: 1,
        waiting_seconds: 0.25,
        response_seconds: 1.5,
        estimate_mean: Some(0.5),
        estimate_p90: Some(0.75),
        estimate_source: Some(Source::RunningMean),
        work: None,
        cpu_seconds: None,
        trace_id: None,
        protocol: "HTTP/1.1",
        referer: None,
        user_agent: Some("a \"b\"\u{1b}"),
    }
}

fn config(to: AccessLogTarget, queue_max: usize) -> AccessLog {
    AccessLog { to, format: LogFormat::Json, query: LoggedQuery::Whole, queue_max }
}

fn open(to: AccessLogTarget) -> AccessWriter {
    AccessWriter::open(&config(to, 100), &Registry::new()).unwrap()
}

#[test]
fn a_record_is_one_line_of_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs/access.jsonl");
    let log = open(AccessLogTarget::File(path.clone()));
    log.write(&record());
    log.close();
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        r#"{"time":"2023-11-14T22:13:20.250Z","client":"127.0.0.1","#.to_owned()
            + r#""client_name":"2bb80d537b1da3e3","method":"POST","#
            + r#""path":"/raytracer?a=\"1\"\n","route":"raytrace","status":200,"bytes_in":10,"#
            + r#""bytes_out":20,"host":null,"tries":1,"waiting_seconds":0.25,"#
            + r#""response_seconds":1.5,"estimate_mean":0.5,"estimate_p90":0.75,"#
            + r#""estimate_source":"running_mean","work":null,"cpu_seconds":null,"#
            + "\"trace_id\":null}\n"
    );
    assert_eq!((log.metrics.written.get(), log.metrics.dropped.get()), (1, 0));
}

#[test]
fn a_file_that_is_there_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.jsonl");
    for _ in 0..3 {
        open(AccessLogTarget::File(path.clone())).write(&record());
    }
    assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 3);
}

/// The number of lines in the file at `path`, once it is there.
fn lines_once_there(path: &Path) -> usize {
    while !path.exists() {
        thread::yield_now();
    }
    fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn a_file_that_was_moved_away_is_made_anew_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let [path, moved] = ["access.jsonl", "access.jsonl.1"].map(|name| folder.path().join(name));
    let log = open(AccessLogTarget::File(path.clone()));
    log.write(&record());
    fs::rename(&path, &moved).unwrap();
    log.write(&record());
    log.reopen();
    assert_eq!(lines_once_there(&path), 0, "nothing was written to it");
    assert_eq!(lines_once_there(&moved), 2, "what came before is where it belongs");
    log.write(&record());
    log.close();
    assert_eq!((lines_once_there(&path), lines_once_there(&moved)), (1, 2));
    assert_eq!((log.metrics.written.get(), log.metrics.dropped.get()), (3, 0));
}

#[test]
fn a_file_that_cannot_be_opened_again_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let [path, moved] = ["access.jsonl", "access.jsonl.1"].map(|name| folder.path().join(name));
    let log = open(AccessLogTarget::File(path.clone()));
    log.write(&record());
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    log.reopen();
    log.write(&record());
    log.close();
    assert_eq!(lines_once_there(&moved), 2);
    assert_eq!((log.metrics.written.get(), log.metrics.dropped.get()), (2, 0));
}

#[test]
fn a_log_that_is_no_file_is_not_opened_again() {
    let log = open(AccessLogTarget::Off);
    log.reopen();
    let gate = Gate::default();
    gate.set(1);
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let settings = config(AccessLogTarget::Stdout, 2);
    let log = AccessWriter::start(Sink::stream(gate), &settings, metrics).unwrap();
    log.reopen();
    log.write(&record());
    log.close();
    assert_eq!(log.metrics.written.get(), 1);
}

#[test]
fn a_file_that_cannot_be_made_is_an_error_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let to = AccessLogTarget::File(folder.path().to_owned());
    let error = AccessWriter::open(&config(to, 1), &Registry::new()).unwrap_err();
    let expected = format!("cannot open the access log {}", folder.path().display());
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_comes_after_the_close_is_dropped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(AccessLogTarget::File(folder.path().join("a")));
    log.close();
    log.write(&record());
    log.close();
    assert_eq!((log.metrics.written.get(), log.metrics.dropped.get()), (0, 1));
}

#[test]
fn a_log_that_is_off_takes_nothing() {
    let log = open(AccessLogTarget::Off);
    assert!(!log.is_on());
    log.write(&record());
    log.close();
    assert_eq!((log.metrics.written.get(), log.metrics.dropped.get()), (0, 0));
}

/// Takes nothing until it is opened; `opened` and `stuck` are told by the condition.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<[bool; 2]>, Condvar)>);

impl Gate {
    fn set(&self, which: usize) {
        self.0.0.lock().unwrap()[which] = true;
        self.0.1.notify_all();
    }

    fn wait(&self, which: usize) {
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |state| !state[which]).unwrap());
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.set(0);
        self.wait(1);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_sink_never_stops_the_request_path() {
    let gate = Gate::default();
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let settings = config(AccessLogTarget::Stdout, 2);
    let log = AccessWriter::start(Sink::stream(gate.clone()), &settings, metrics).unwrap();
    log.write(&record());
    gate.wait(0);
    for _ in 0..5 {
        log.write(&record());
    }
    assert_eq!(log.metrics.dropped.get(), 3);
    gate.set(1);
    log.close();
    assert_eq!(log.metrics.written.get(), 3);
}

#[test]
fn lines_that_come_together_are_written_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let to = AccessLogTarget::File(path.clone());
    let log = AccessWriter::open(&config(to, 5000), &Registry::new()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|_| log.write(&record())));
        }
    });
    log.close();
    assert_eq!((log.metrics.written.get(), log.metrics.dropped.get()), (2000, 0));
    let text = fs::read_to_string(path).unwrap();
    let first = text.lines().next().unwrap();
    serde_json::from_str::<serde_json::Value>(first).unwrap();
    assert_eq!(text, format!("{first}\n").repeat(2000), "no line is torn");
}

#[test]
fn no_line_is_longer_than_four_kilobytes() {
    let long = "\u{9b}".repeat(20_000);
    let record = AccessRecord { method: &long, path: &long, trace_id: Some(&long), ..record() };
    let mut line = Vec::new();
    record.write_to(&mut line, LoggedQuery::Whole).unwrap();
    assert!(line.len() <= 4096, "{}", line.len());
    serde_json::from_slice::<serde_json::Value>(&line).unwrap();
}

fn line(format: &LogFormat, record: &AccessRecord<'_>) -> String {
    let mut line = Vec::new();
    record.write_as(format, &mut line, LoggedQuery::Names).unwrap();
    String::from_utf8(line).unwrap()
}

#[test]
fn a_combined_line_is_as_apache_writes_it() {
    assert_eq!(
        line(&LogFormat::Combined, &record()),
        "127.0.0.1 - - [14/Nov/2023:22:13:20 +0000] \"POST /raytracer?a=* HTTP/1.1\" 200 20 \
         \"-\" \"a \\\"b\\\"\\u001b\"\n"
    );
    let nothing = AccessRecord { client: None, status: None, bytes_out: 0, ..record() };
    let nothing = AccessRecord { referer: Some("http://a/"), user_agent: None, ..nothing };
    assert_eq!(
        line(&LogFormat::Combined, &nothing),
        "- - - [14/Nov/2023:22:13:20 +0000] \"POST /raytracer?a=* HTTP/1.1\" - - \
         \"http://a/\" \"-\"\n"
    );
}

#[test]
fn a_line_of_ones_own_has_its_fields_and_nothing_that_a_terminal_acts_on() {
    use crate::config::{LogField, LogPart};
    let parts = LogField::ALL
        .map(|(name, field)| [LogPart::Text(format!(" {name}=")), LogPart::Field(field)]);
    let format = LogFormat::Own(parts.into_iter().flatten().collect());
    assert_eq!(
        line(&format, &record()),
        " time=2023-11-14T22:13:20.250Z client=127.0.0.1 client_name=2bb80d537b1da3e3 method=POST \
         path=/raytracer?a=* protocol=HTTP/1.1 route=raytrace status=200 bytes_in=10 bytes_out=20 \
         host=- tries=1 waiting_seconds=0.25 response_seconds=1.5 estimate_mean=0.5 \
         estimate_p90=0.75 estimate_source=running_mean work=- cpu_seconds=- trace_id=- referer=- \
         user_agent=a \\\"b\\\"\\u001b\n"
    );
    let long = "\u{9b}".repeat(20_000);
    let long = AccessRecord { path: &long, user_agent: Some(&long), ..record() };
    assert!(line(&LogFormat::Combined, &long).len() <= 4096);
}
