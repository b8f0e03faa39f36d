//! `weighbridge-bench classify`: how often the worker names what a photo shows.
//!
//! Every photo goes to `/classify?top=5` of a real worker, as a client sends it. It is right where
//! its first answer is the label of the photo, or for top 5 one of its first five.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use http::Method;
use serde_json::Value;

use crate::client::Client;
use crate::photos::{Asked, Models, OwnWorker, Photo, PhotoError, Share, labelled, listed};
use crate::units::time;

/// Measures how often the worker names what a photo shows.
///
/// DIR has a folder for each class, with its photos. The folder is called as the class is in the
/// model's list (`shower curtain`, whatever the case, `_` for a space), or by its number from 0 to
/// 999. With --list, the classes are in a file instead.
///
/// Prints one row, as a table in Markdown: how often the first answer was right, and how often one
/// of the first five, each with its interval at 95 % (Wilson); how long the worker ran; and before
/// a balancer how far its estimates were off.
///
/// Without --url it starts a `weighbridge worker` of its own, and stops it again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weighbridge-bench classify photos/
  weighbridge-bench classify ILSVRC2012 --list ILSVRC2012/val.txt --classifier lite2
  weighbridge-bench classify photos/ --url http://127.0.0.1:8080")]
pub struct Classify {
    /// The folder of the photos.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// A file with a photo, relative to DIR, and its class in each line, with a comma between.
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// What classifies: lite0 or lite2.
    #[arg(long, value_name = "MODEL", default_value = "lite0", conflicts_with = "url")]
    pub classifier: String,
    /// Where the models are.
    #[command(flatten)]
    pub models: Models,
    /// A worker that runs, or a balancer before it, instead of one of its own.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// What was measured.
#[derive(Debug, Default)]
struct Tally {
    photos: usize,
    first: usize,
    five: usize,
    run: Vec<f64>,
    /// How far estimates were off, as parts of the work.
    off: Vec<f64>,
}

/// Photos that a balancer learns from before its estimates are judged.
const LEARNING: usize = 200;

impl Classify {
    /// Measures and prints.
    pub fn run(&self) -> Result<(), PhotoError> {
        let photos = match &self.list {
            None => labelled(&self.folder)?,
            Some(list) => listed(&self.folder, list)?,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tally = runtime.block_on(self.measure(&photos))?;
        println!("{}", tally.markdown(&photos));
        Ok(())
    }

    async fn measure(&self, photos: &[Photo]) -> Result<Tally, PhotoError> {
        if let Some(url) = &self.url {
            return ask_all(&Client::new(url, url), photos).await;
        }
        let arguments = ["--classifier", &self.classifier];
        let worker = OwnWorker::start(&self.models.models, &arguments).await?;
        let tally = ask_all(&Client::new(&worker.url, &worker.url), photos).await;
        worker.stop().await;
        tally
    }
}

async fn ask_all(client: &Client, photos: &[Photo]) -> Result<Tally, PhotoError> {
    let Some(first) = photos.first() else { return Ok(Tally::default()) };
    let all = client.show(Method::POST, "/classify?top=1000", &first.file).await?;
    let truth = classes_of(photos, &all.answer)?;
    let mut tally = Tally::default();
    for (photo, class) in photos.iter().zip(truth) {
        let asked = client.show(Method::POST, "/classify?top=5", &photo.file).await?;
        tally.add(&asked, &class)?;
    }
    Ok(tally)
}

/// The class of each photo, by the model's own list.
fn classes_of(photos: &[Photo], all: &Value) -> Result<Vec<BTreeSet<u64>>, PhotoError> {
    let mut classes: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for (label, class) in guesses(all)? {
        classes.entry(plain(label)).or_default().insert(class);
        classes.entry(class.to_string()).or_default().insert(class);
    }
    let of = |photo: &Photo| classes.get(&plain(&photo.label)).cloned();
    let unknown: BTreeSet<&str> =
        photos.iter().filter(|photo| of(photo).is_none()).map(|one| one.label.as_str()).collect();
    if unknown.is_empty() {
        return Ok(photos.iter().filter_map(of).collect());
    }
    let shown: Vec<&str> = unknown.into_iter().take(10).collect();
    Err(PhotoError::Labels(shown.join(", ")))
}

fn plain(label: &str) -> String {
    label.to_lowercase().replace('_', " ")
}

/// Labels and classes of an answer, the most probable first.
fn guesses(answer: &Value) -> Result<Vec<(&str, u64)>, PhotoError> {
    let top = answer["top"].as_array();
    let guesses = top.map(|top| {
        let guesses =
            top.iter().map(|guess| Some((guess["label"].as_str()?, guess["class"].as_u64()?)));
        guesses.collect::<Option<Vec<_>>>()
    });
    guesses.flatten().ok_or_else(|| PhotoError::Answer(answer.to_string()))
}

// === impl Tally ===

impl Tally {
    fn add(&mut self, asked: &Asked, class: &BTreeSet<u64>) -> Result<(), PhotoError> {
        let guesses = guesses(&asked.answer)?;
        let right = |n: usize| guesses.iter().take(n).any(|(_, guess)| class.contains(guess));
        self.photos += 1;
        self.first += usize::from(right(1));
        self.five += usize::from(right(5));
        self.run.extend(asked.run);
        if let Some(told) = asked.told.as_ref().filter(|_| LEARNING < self.photos) {
            self.off.push((told.mean - told.work).abs() / told.work);
        }
        Ok(())
    }

    fn markdown(&self, photos: &[Photo]) -> String {
        let share = |of| Share { of, all: self.photos };
        let classes: BTreeSet<&str> = photos.iter().map(|photo| photo.label.as_str()).collect();
        let run = quantile(&self.run, 0.5).map_or("–".to_owned(), time);
        let most = quantile(&self.run, 0.99).map_or("–".to_owned(), time);
        let off = quantile(&self.off, 0.5)
            .map_or("–".to_owned(), |off| format!("{:.1} %", off * 100.0));
        format!(
            "| photos | classes | top 1 | top 5 | run: median, p99 | median error of estimates |\n\
             |---|---|---|---|---|---|\n\
             | {} | {} | {} | {} | {run}, {most} | {off} |",
            self.photos,
            classes.len(),
            share(self.first),
            share(self.five),
        )
    }
}

/// The value that so large a part stays below; `None` of nothing.
pub(crate) fn quantile(values: &[f64], part: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(((sorted.len().max(1) - 1) as f64 * part).round() as usize).copied()
}

#[cfg(test)]
mod tests;
