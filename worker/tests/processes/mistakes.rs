//! What is wrong with what is to run is told of all at once.

use std::time::Duration;

use weighbridge_worker::{Worker, WorkerError};

use crate::fixture::config;

#[tokio::test]
async fn all_mistakes_are_told_of_at_once() {
    let mut config = config(3);
    let run = config.run.as_mut().expect("it runs a server");
    run.command = "gunicorn app:app".to_owned();
    run.concurrency = 2;
    run.ready = Some("health".to_owned());
    run.start_timeout = Duration::ZERO;
    let error = Worker::bind(config).await.map(drop).expect_err("it is wrong");
    assert!(matches!(error, WorkerError::Run(_)));
    let expected = "what is to run has 4 mistake(s)
  the command `gunicorn app:app` does not say where to listen: expected `{address}`, `{port}` or `{socket}` in it, or `$PORT`
  the concurrency is `2` with `3` processes: expected one process, because a process that has several requests cannot be parked for one of them
  the path of readiness is `health`: expected one that begins with `/`
  the start timeout is `0ns`: expected more than nothing";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn there_is_a_process_for_each_core() {
    let mut config = config(1);
    config.cores = 2;
    let error = Worker::bind(config).await.map(drop).expect_err("one core would be idle");
    assert!(error.to_string().contains("expected at least as many processes as cores"), "{error}");
}
